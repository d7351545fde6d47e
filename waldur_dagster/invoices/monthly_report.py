"""The job send-monthly-invoicing-reports-about-customers: contracts and this month's invoices for accounting."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import Numeric, cast, func, select

from waldur_dagster.invoices.accounting_lines import invoice_number
from waldur_dagster.invoices.contracts import FIXED_PRICE, contract_attributes, contract_end
from waldur_dagster.invoices.money import item_price, with_tax
from waldur_dagster.outbox import Attachment, put
from waldur_dagster.platform.mail import plain_mail
from waldur_dagster.platform.month import Month
from waldur_dagster.platform.template_objects import CUSTOMER, Kind, Objects, View, read_only
from waldur_dagster.platform.templates import Templates
from waldur_dagster.schema import invoices, structure
from waldur_dagster.work import Work

ALARM_DAYS = 60
customer = structure.customer
PROFILE = Kind(
    "invoices_paymentprofile",
    ("uuid", "name", "payment_type", "attributes"),
    {"organization": ("organization_id", CUSTOMER)},
)


def send_monthly_report(work: Work, month: Month) -> int:
    """Mail the overview where the site wants it, once for each month; returns the number of new mails.

    The invoices are those of ``month`` itself, the one that has begun (spec invoices).
    """
    options = work.settings["WALDUR_INVOICES.INVOICE_REPORTING"]
    if not options["ENABLE"]:
        return 0
    title = f"Financial report for {month.month:02}-{month.year}"
    facts = {
        "contracts": _contracts(work),
        "invoices": _invoices(work, month),
        "month": month.month,
        "year": month.year,
    }
    document = Attachment(
        filename=f"{month.month:02}_{month.year}_invoice_report.html",
        content=work.once(Templates).render("invoices/monthly_invoicing_reports.html", facts),
        media_type="text/html",
    )
    key = f"monthly invoicing report {month}"
    return put(work, [plain_mail(work, key, options["EMAIL"], title, f"{title} is attached.", attachments=[document])])


def _contracts(work: Work) -> list[View]:
    profile, payment = invoices.paymentprofile, invoices.payment
    paid = select(func.coalesce(func.sum(payment.c.sum), 0)).where(payment.c.profile_id == profile.c.id)
    found = work.connection.execute(
        select(
            profile.c.id,
            profile.c.attributes,
            customer.c.name.label("organization_name"),
            customer.c.abbreviation,
            paid.scalar_subquery().label("payments"),
        )
        .join(customer, customer.c.id == profile.c.organization_id)
        .where(profile.c.payment_type == FIXED_PRICE, profile.c.is_active)
        .order_by(customer.c.abbreviation, customer.c.name)
    ).all()
    profiles = Objects(work, PROFILE, (row.id for row in found))
    return [_contract(work, row, profiles) for row in found]


def _contract(work: Work, row: Any, profiles: Objects) -> View:
    name = row.abbreviation or row.organization_name
    attributes = contract_attributes(work, row.attributes, name)
    end = contract_end(work, attributes, name)
    days_left = (end - work.today).days if end else None
    agreed = attributes.get("contract_sum")
    amount = _amount(work, agreed, name)
    return View(
        {
            "name": name,
            "end": end,
            "till_end": days_left,
            "end_date_alarm": days_left is not None and days_left < ALARM_DAYS,
            "contract_sum": amount,
            "payments_sum": row.payments,
            # A text is never equal to what was paid, as the platform has it.
            "payments_alarm": bool(agreed) and (isinstance(agreed, str) or amount != row.payments),
            "profile": profiles.view(row.id),
        }
    )


def _amount(work: Work, agreed: Any, name: str) -> Decimal:
    try:
        amount = Decimal(str(agreed or 0))
    except InvalidOperation:
        amount = Decimal("NaN")
    if amount.is_finite():
        return amount
    work.outcome.warn(f"contract of {name}", f"its sum {agreed!r} is not a number")
    return Decimal(0)


def _invoices(work: Work, month: Month) -> list[View]:
    invoice, item, profile = invoices.invoice, invoices.invoiceitem, invoices.paymentprofile
    has_contract = (
        select(profile.c.id)
        .where(profile.c.organization_id == customer.c.id, profile.c.payment_type == FIXED_PRICE, profile.c.is_active)
        .exists()
    )
    price = cast(func.coalesce(func.sum(item_price(item)), 0), Numeric)
    found = work.connection.execute(
        select(
            *(invoice.c[name] for name in ("id", "uuid", "year", "month", "state", "invoice_date", "tax_percent")),
            customer.c.id.label("customer_id"),
            customer.c.name.label("customer_name"),
            customer.c.abbreviation.label("customer_abbreviation"),
            price.label("price"),
            with_tax(price, invoice.c.tax_percent).label("total"),
        )
        .select_from(
            invoice.join(customer, customer.c.id == invoice.c.customer_id).outerjoin(
                item, item.c.invoice_id == invoice.c.id
            )
        )
        .where(invoice.c.year == month.year, invoice.c.month == month.month, ~has_contract)
        .group_by(invoice.c.id, customer.c.id)
        .order_by(customer.c.abbreviation, customer.c.name)
    ).all()
    customers = Objects(work, CUSTOMER, (row.customer_id for row in found))
    return [_invoice(row, customers) for row in found]


def _invoice(row: Any, customers: Objects) -> View:
    shown = {name: read_only(value) for name, value in row._asdict().items() if not name.startswith("customer_")}
    owner = customers.view(row.customer_id, name=row.customer_name, abbreviation=row.customer_abbreviation)
    return View(shown | {"number": invoice_number(row.id), "tax": row.total - row.price, "customer": owner})
