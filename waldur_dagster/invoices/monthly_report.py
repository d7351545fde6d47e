"""The job send-monthly-invoicing-reports-about-customers: contracts and this month's invoices for accounting."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import Numeric, cast, func, select

from waldur_dagster.invoices.contracts import FIXED_PRICE, contract_attributes, contract_end
from waldur_dagster.invoices.money import item_price, with_tax
from waldur_dagster.outbox import Attachment, put
from waldur_dagster.platform.mail import plain_mail
from waldur_dagster.platform.month import Month
from waldur_dagster.platform.templates import Templates
from waldur_dagster.schema import invoices, structure
from waldur_dagster.work import Work

ALARM_DAYS = 60
customer = structure.customer
SHOWN_NAME = func.coalesce(func.nullif(customer.c.abbreviation, ""), customer.c.name)


def send_monthly_report(work: Work, month: Month) -> int:
    """Mail the overview where the site wants it, once for each month; returns the number of new mails.

    The invoices are those of ``month`` itself, the one that has begun (spec invoices).
    """
    options = work.settings["WALDUR_INVOICES.INVOICE_REPORTING"]
    if not options["ENABLE"]:
        return 0
    title = f"Financial report for {month.month:02}-{month.year}"
    context = {"contracts": _contracts(work), "invoices": _invoices(work, month), "month": month}
    document = Attachment(
        filename=f"{month.month:02}_{month.year}_invoice_report.html",
        content=Templates(work).render("invoices/monthly_report.html", context),
        media_type="text/html",
    )
    key = f"monthly invoicing report {month}"
    return put(work, [plain_mail(work, key, options["EMAIL"], title, f"{title} is attached.", attachments=[document])])


def _contracts(work: Work) -> list[dict[str, Any]]:
    profile, payment = invoices.paymentprofile, invoices.payment
    paid = select(func.coalesce(func.sum(payment.c.sum), 0)).where(payment.c.profile_id == profile.c.id)
    found = work.connection.execute(
        select(SHOWN_NAME.label("name"), profile.c.attributes, paid.scalar_subquery().label("payments"))
        .join(customer, customer.c.id == profile.c.organization_id)
        .where(profile.c.payment_type == FIXED_PRICE, profile.c.is_active)
        .order_by(customer.c.abbreviation, customer.c.name)
    )
    return [
        _contract(work, row.name, contract_attributes(work, row.attributes, row.name), row.payments) for row in found
    ]


def _contract(work: Work, name: str, attributes: dict[str, Any], payments: Decimal) -> dict[str, Any]:
    end = contract_end(work, attributes, name)
    days_left = (end - work.today).days if end else None
    agreed = attributes.get("contract_sum")
    amount = _amount(work, agreed, name)
    return {
        "name": name,
        "end": end,
        "days_left": days_left,
        "ends_soon": days_left is not None and days_left < ALARM_DAYS,
        "sum": amount,
        "payments": payments,
        # A text is never equal to what was paid, as the platform has it.
        "not_paid": bool(agreed) and (isinstance(agreed, str) or amount != payments),
    }


def _amount(work: Work, agreed: Any, name: str) -> Decimal:
    try:
        amount = Decimal(str(agreed or 0))
    except InvalidOperation:
        amount = Decimal("NaN")
    if amount.is_finite():
        return amount
    work.outcome.warn(f"contract of {name}", f"its sum {agreed!r} is not a number")
    return Decimal(0)


def _invoices(work: Work, month: Month) -> list[dict[str, Any]]:
    invoice, item, profile = invoices.invoice, invoices.invoiceitem, invoices.paymentprofile
    has_contract = (
        select(profile.c.id)
        .where(profile.c.organization_id == customer.c.id, profile.c.payment_type == FIXED_PRICE, profile.c.is_active)
        .exists()
    )
    price = cast(func.coalesce(func.sum(item_price(item)), 0), Numeric)
    found = work.connection.execute(
        select(SHOWN_NAME.label("name"), invoice.c.invoice_date, with_tax(price, invoice.c.tax_percent).label("total"))
        .select_from(
            invoice.join(customer, customer.c.id == invoice.c.customer_id).outerjoin(
                item, item.c.invoice_id == invoice.c.id
            )
        )
        .where(invoice.c.year == month.year, invoice.c.month == month.month, ~has_contract)
        .group_by(invoice.c.id, customer.c.id)
        .order_by(customer.c.abbreviation, customer.c.name)
    )
    return [row._asdict() for row in found]
