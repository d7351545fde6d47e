"""Mails that show customers' owners the new month's invoice (spec invoices, waldur-create-invoices, customer mails)."""

from __future__ import annotations

import base64
import mimetypes
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Select, exists, select

from waldur_dagster.invoices.accounting_lines import invoice_number
from waldur_dagster.invoices.money import price_of
from waldur_dagster.outbox import Attachment, put
from waldur_dagster.platform.mail import Letter, notification_mails
from waldur_dagster.platform.month import Month
from waldur_dagster.platform.roles import OWNER, recipients
from waldur_dagster.platform.templates import Templates
from waldur_dagster.schema import invoices, structure
from waldur_dagster.work import Work

NOTIFICATION = "invoices.notification"
CUSTOMER_FACTS = (
    *("name", "address", "country", "postal", "email", "phone_number", "bank_name", "bank_account"),
    *("contact_details", "vat_code"),
)


def send_customer_invoices(work: Work, month: Month) -> int:
    """Mail the month's invoices to their customers' owners where the site wants it; each address once for an invoice.

    Customers with a fixed price and archived ones are left out. Returns the number of new mails.
    """
    if not work.settings["WALDUR_INVOICES.SEND_CUSTOMER_INVOICES"]:
        return 0
    return put(work, notification_mails(work, NOTIFICATION, _letters(work, month)))


def _letters(work: Work, month: Month) -> Iterator[Letter]:
    owners: dict[int, list[str]] = defaultdict(list)
    for row in work.connection.execute(recipients(work, "structure", "customer", (OWNER,))):
        owners[row.scope_id].append(row.email)
    templates, logo = Templates(work), _logo(work)
    file_name = f"{work.constance['SITE_NAME'].replace(' ', '_')}_{month.year}_{month.month}.html"
    lines = work.connection.execute(_query(month), execution_options={"stream_results": True})
    for _, group in groupby(lines, key=attrgetter("invoice_id")):
        rows = list(group)
        invoice = rows[0]
        if not owners[invoice.customer_id]:
            continue
        document = Attachment(
            filename=file_name,
            content=templates.render("invoices/invoice.html", _document(work, rows) | {"logo": logo}),
            media_type="text/html",
        )
        link = f"{work.settings['WALDUR_CORE.HOMEPORT_URL']}invoice/{invoice.invoice_uuid.hex}"
        facts = {"customer": invoice.name, "month": month.month, "year": month.year, "link": link}
        for email in sorted(owners[invoice.customer_id]):
            yield Letter(f"invoice {month} {invoice.invoice_uuid.hex} {email}", email, facts, [document])


def _query(month: Month) -> Select[tuple]:
    """A row for each item, with its invoice and customer; an invoice without items has one row."""
    invoice, item, customer, profile = (
        invoices.invoice,
        invoices.invoiceitem,
        structure.customer,
        invoices.paymentprofile,
    )
    fixed_price = exists().where(
        profile.c.organization_id == customer.c.id, profile.c.is_active, profile.c.payment_type == "fixed_price"
    )
    return (
        select(
            invoice.c.id.label("invoice_id"),
            invoice.c.uuid.label("invoice_uuid"),
            *(invoice.c[name] for name in ("customer_id", "year", "month", "invoice_date", "tax_percent")),
            *(customer.c[name] for name in CUSTOMER_FACTS),
            item.c.id.label("item_id"),
            item.c.name.label("item_name"),
            *(item.c[name] for name in ("project_name", "start", "end", "quantity", "unit_price")),
        )
        .select_from(
            invoice.join(customer, customer.c.id == invoice.c.customer_id).outerjoin(
                item, item.c.invoice_id == invoice.c.id
            )
        )
        .where(invoice.c.year == month.year, invoice.c.month == month.month, ~customer.c.archived, ~fixed_price)
        .order_by(invoice.c.id, item.c.project_name, item.c.name, item.c.id)
    )


def _document(work: Work, rows: list[Any]) -> dict[str, Any]:
    """What the invoice's HTML document shows."""
    invoice = rows[0]
    tax_rate = invoice.tax_percent / 100
    items = [
        {"row": row, "total": price + price * tax_rate}
        for row in rows
        if row.item_id is not None and (price := price_of(row.unit_price, row.quantity)) != 0
    ]
    subtotal = sum((price_of(row.unit_price, row.quantity) for row in rows if row.item_id is not None), Decimal(0))
    interval = timedelta(days=work.settings["WALDUR_INVOICES.PAYMENT_INTERVAL"])
    return {
        "number": invoice_number(invoice.invoice_id),
        "invoice": invoice,
        "due_date": invoice.invoice_date + interval if invoice.invoice_date else None,
        "issuer": work.settings["WALDUR_INVOICES.ISSUER_DETAILS"],
        "currency": work.constance["CURRENCY_NAME"],
        "projects": [(name, list(lines)) for name, lines in groupby(items, key=lambda i: i["row"].project_name)],
        "subtotal": subtotal,
        "tax": subtotal * tax_rate,
        "total": subtotal + subtotal * tax_rate,
    }


def _logo(work: Work) -> str:
    """The site's logo as a data URL; '' when there is none, or when this machine does not have Waldur's media files."""
    name, media = work.constance["SITE_LOGO"], work.deployment.media
    if not name or media is None:
        return ""
    try:
        content = base64.b64encode((media / name).read_bytes()).decode()
    except OSError as error:
        work.outcome.warn(f"SITE_LOGO {name}", f"cannot be read: {error.strerror}; invoices are sent without it")
        return ""
    return f"data:{mimetypes.guess_type(name)[0] or 'image/png'};base64,{content}"
