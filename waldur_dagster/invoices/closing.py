"""Closing the invoices of past months (spec invoices, waldur-create-invoices step 2)."""

from __future__ import annotations

from sqlalchemy import Date, Integer, Table, Text, and_, case, cast, exists, func, literal, or_, select, update

from waldur_dagster.invoices.overdue_credits import zero_overdue_credits
from waldur_dagster.invoices.paypal import copy_to_paypal
from waldur_dagster.invoices.settling import settle_credits
from waldur_dagster.platform.contexts import customer_context
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import json_list, json_object, merged, text_from
from waldur_dagster.platform.month import Month
from waldur_dagster.platform.temporary import temporary_table
from waldur_dagster.schema import invoices, structure
from waldur_dagster.work import Work

PENDING, BILLED, PAID, CANCELED = "pending", "created", "paid", "canceled"


def close_invoices(work: Work, month: Month) -> int:
    """Close every pending invoice of the months before ``month``, oldest first, credits applied; returns how many.

    All invoices of one customer are closed, or, when its credit cannot be settled, none of them: that customer is
    reported and left as it is, the others go on.
    """
    zero_overdue_credits(work, work.today)
    closing = _lock_old_invoices(work, month)
    unsettled = settle_credits(work, closing)
    work.connection.execute(closing.delete().where(closing.c.customer_id == func.any(unsettled)))
    closed = _set_states(work, closing)
    _log_closing(work, closing)
    if work.settings["WALDUR_PAYPAL.ENABLED"]:
        copy_to_paypal(work, closing)
    return closed


def _lock_old_invoices(work: Work, month: Month) -> Table:
    invoice = invoices.invoice
    older = or_(invoice.c.year < month.year, and_(invoice.c.year == month.year, invoice.c.month < month.month))
    profile = invoices.paymentprofile
    fixed_price = exists().where(
        profile.c.organization_id == invoice.c.customer_id,
        profile.c.is_active,
        profile.c.payment_type == "fixed_price",
    )
    old = (
        select(
            invoice.c.id,
            invoice.c.customer_id,
            invoice.c.year,
            invoice.c.month,
            case((fixed_price, PAID), else_=BILLED).cast(Text).label("state"),
        )
        .where(invoice.c.state == PENDING, older)
        .with_for_update(of=invoice)
    )
    return temporary_table(work, "closing", old)


def _set_states(work: Work, closing: Table) -> int:
    invoice = invoices.invoice
    statement = (
        update(invoice)
        .values(state=closing.c.state, invoice_date=literal(work.today, Date))
        .where(invoice.c.id == closing.c.id)
    )
    return work.execute(statement).rowcount


def _log_closing(work: Work, closing: Table) -> None:
    customer = structure.customer
    customer_type = work.content_types("structure", "customer")
    paid = closing.c.state == PAID
    work_events = (
        select(
            case((paid, "invoice_paid"), else_="invoice_created").cast(Text).label("event_type"),
            text_from(
                "Invoice for customer {customer} has been {what}.",
                customer=customer.c.name,
                what=case((paid, "paid"), else_="created"),
            ).label("message"),
            merged(customer_context(customer), json_object(year=closing.c.year, month=closing.c.month)).label(
                "context"
            ),
            json_list(json_list(cast(customer_type, Integer), customer.c.id)).label("feeds"),
        )
        .join(customer, customer.c.id == closing.c.customer_id)
        .order_by(closing.c.year, closing.c.month, closing.c.id)
    )
    log_events(work, work_events)
