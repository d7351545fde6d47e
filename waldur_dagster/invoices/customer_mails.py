"""Mails that show customers' owners the new month's invoice (spec invoices, waldur-create-invoices, customer mails)."""

from __future__ import annotations

import base64
import mimetypes
from collections import defaultdict
from collections.abc import Iterator, Sequence
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
from waldur_dagster.platform.template_objects import CUSTOMER, Identifier, Objects, View, read_only
from waldur_dagster.platform.templates import Templates
from waldur_dagster.schema import invoices, structure
from waldur_dagster.work import Work

NOTIFICATION = "invoices.notification"
INVOICE_FACTS = ("year", "month", "state", "invoice_date", "tax_percent", "reference_number", "payment_url")
CUSTOMER_FACTS = (
    *("uuid", "name", "abbreviation", "address", "country", "postal", "email", "phone_number"),
    *("bank_name", "bank_account", "contact_details", "vat_code", "registration_code", "agreement_number"),
)
ITEM_FACTS = (
    *("uuid", "name", "project_name", "project_uuid", "start", "end", "quantity", "unit_price", "unit"),
    *("measured_unit", "article_code", "details"),
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
    logo, customers = _logo(work), Objects(work, CUSTOMER, owners)
    file_name = f"{work.constance['SITE_NAME'].replace(' ', '_')}_{month.year}_{month.month}.html"
    lines = work.connection.execute(_query(month), execution_options={"stream_results": True})
    for _, group in groupby(lines, key=attrgetter("invoice_id")):
        rows = list(group)
        invoice = rows[0]
        if not owners[invoice.customer_id]:
            continue
        document = Attachment(
            filename=file_name,
            content=work.once(Templates).render("invoices/invoice.html", _document(work, rows, customers) | logo),
            media_type="text/html",
        )
        link = f"{work.settings['WALDUR_CORE.HOMEPORT_URL']}invoice/{invoice.invoice_uuid.hex}"
        facts = {"customer": invoice.customer_name, "month": month.month, "year": month.year, "link": link}
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
            invoice.c.customer_id,
            *(invoice.c[name] for name in INVOICE_FACTS),
            *(customer.c[name].label(f"customer_{name}") for name in CUSTOMER_FACTS),
            item.c.id.label("item_id"),
            *(item.c[name].label(f"item_{name}") for name in ITEM_FACTS),
        )
        .select_from(
            invoice.join(customer, customer.c.id == invoice.c.customer_id).outerjoin(
                item, item.c.invoice_id == invoice.c.id
            )
        )
        .where(invoice.c.year == month.year, invoice.c.month == month.month, ~customer.c.archived, ~fixed_price)
        .order_by(invoice.c.id, item.c.project_name, item.c.name, item.c.id)
    )


def _document(work: Work, rows: list[Any], customers: Objects) -> dict[str, Any]:
    """What the invoice's HTML document shows, under Waldur's names; items that cost nothing are left out."""
    invoice = rows[0]
    customer = customers.view(invoice.customer_id, **_facts(invoice, "customer", CUSTOMER_FACTS))
    tax_rate = invoice.tax_percent / 100
    items, price = [], Decimal(0)
    for row in rows:
        if row.item_id is not None and (cost := price_of(row.item_unit_price, row.item_quantity)) != 0:
            facts = _facts(row, "item", ITEM_FACTS)
            items.append(View(facts | {"price": cost, "tax": cost * tax_rate, "total": cost + cost * tax_rate}))
            price += cost
    interval = timedelta(days=work.settings["WALDUR_INVOICES.PAYMENT_INTERVAL"])
    shown = {
        "uuid": Identifier(invoice.invoice_uuid.hex),
        "number": invoice_number(invoice.invoice_id),
        "customer": customer,
        "due_date": invoice.invoice_date + interval if invoice.invoice_date else None,
        "price": price,
        "tax": price * tax_rate,
        "total": price + price * tax_rate,
        "_text": f"{invoice.customer_name} | {invoice.year}-{invoice.month}",
    }
    return {
        "invoice": View({name: getattr(invoice, name) for name in INVOICE_FACTS} | shown),
        "customer": customer,
        "items": tuple(items),
        "issuer_details": read_only(work.settings["WALDUR_INVOICES.ISSUER_DETAILS"]),
        "currency": work.constance["CURRENCY_NAME"],
    }


def _facts(row: Any, prefix: str, names: Sequence[str]) -> dict[str, Any]:
    return {name: read_only(getattr(row, f"{prefix}_{name}")) for name in names}


def _logo(work: Work) -> dict[str, str]:
    """The site's logo in base64, and its media type; empty when there is none, or when this machine does not have
    Waldur's media files."""
    nothing = {"deployment_logo": "", "deployment_logo_type": ""}
    name, media = work.constance["SITE_LOGO"], work.deployment.media
    if not name or media is None:
        return nothing
    try:
        content = base64.b64encode((media / name).read_bytes()).decode()
    except OSError as error:
        work.outcome.warn(f"SITE_LOGO {name}", f"cannot be read: {error.strerror}; invoices are sent without it")
        return nothing
    return {"deployment_logo": content, "deployment_logo_type": mimetypes.guess_type(name)[0] or "image/png"}
