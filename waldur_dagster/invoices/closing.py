"""Closing the invoices of past months (spec invoices, waldur-create-invoices step 2; newer_billing 1.1 and 1.2)."""

from __future__ import annotations

from datetime import date

from sqlalchemy import (
    ColumnElement,
    Date,
    Integer,
    Table,
    Text,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)

from waldur_dagster.invoices import rules
from waldur_dagster.invoices.affiliates import accrue_affiliate_fees
from waldur_dagster.invoices.held import leave_held, tell_held
from waldur_dagster.invoices.item_events import invoice_feeds
from waldur_dagster.invoices.overdue_credits import zero_overdue_credits
from waldur_dagster.invoices.paypal import copy_to_paypal
from waldur_dagster.invoices.settlement_rows import SettlementWriter
from waldur_dagster.invoices.settling import settle_credits
from waldur_dagster.invoices.states import BILLED, PAID, PENDING, WAITING
from waldur_dagster.invoices.volume_discounts import apply_volume_discounts
from waldur_dagster.platform.contexts import customer_context, invoice_context
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import json_list, json_object, merged, text_from
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import invoices, structure
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work


def close_invoices(work: Work, month: Month) -> int:
    """Close every pending invoice of the months before ``month``; returns how many."""
    return _close(work, and_(invoices.invoice.c.state == PENDING, _is_before(month)), work.today)


def close_waiting_invoices(work: Work, month: Month) -> int:
    """Close every invoice that waits for it, of whatever month, as on the first day of ``month``; returns how many."""
    return _close(work, invoices.invoice.c.state == WAITING, month.first)


def let_invoices_wait(work: Work, month: Month) -> int:
    """Instead of closing pending invoices of the months before ``month``, let them wait; returns how many.

    Their items still change until they are closed, and nobody is told of it.
    """
    invoice = invoices.invoice
    pending = and_(invoice.c.state == PENDING, _is_before(month))
    free = select(invoice.c.id).where(pending).order_by(invoice.c.id).with_for_update(skip_locked=True).cte("free")
    waiting = update(invoice).values(state=WAITING).where(invoice.c.id.in_(select(free.c.id)))
    changed = work.execute(waiting).rowcount
    customer = structure.customer
    held = select(customer.c.name).join(invoice, invoice.c.customer_id == customer.c.id).where(pending)
    tell_held(work, "an invoice", held)
    return changed


def _is_before(month: Month) -> ColumnElement[bool]:
    invoice = invoices.invoice
    return or_(invoice.c.year < month.year, and_(invoice.c.year == month.year, invoice.c.month < month.month))


def _close(work: Work, due: ColumnElement[bool], present: date) -> int:
    """Close invoices, the oldest of a customer first: volume discounts, then credits, then the new state.

    Credits that ended before ``present`` pay nothing any more.

    All invoices of one customer are closed, or, when its credit cannot be settled, none of them: that customer is
    reported and left as it is, the others go on. So is one of whom an invoice or credit is held by somebody else.
    """
    zero_overdue_credits(work, present)
    closing = _lock_invoices(work, due)
    discounts = apply_volume_discounts(work, closing)
    with SettlementWriter(work) as settled:
        unsettled = settle_credits(work, closing, settled)
        work.connection.execute(closing.delete().where(closing.c.customer_id == func.any(unsettled)))
        if discounts is not None:
            discounts.keep(closing)
        settled.write()  # told after the discounts, which it counts on
    closed = _set_states(work, closing)
    _log_closing(work, closing)
    accrue_affiliate_fees(work, closing)
    if work.settings["WALDUR_PAYPAL.ENABLED"]:
        copy_to_paypal(work, closing)
    return closed


def _lock_invoices(work: Work, due: ColumnElement[bool]) -> Table:
    invoice = invoices.invoice
    profile = invoices.paymentprofile
    fixed_price = exists().where(
        profile.c.organization_id == invoice.c.customer_id,
        profile.c.is_active,
        profile.c.payment_type == "fixed_price",
    )
    chosen = (
        select(
            invoice.c.id,
            invoice.c.customer_id,
            invoice.c.year,
            invoice.c.month,
            case((fixed_price, PAID), else_=BILLED).cast(Text).label("state"),
        )
        .where(due)
        .order_by(invoice.c.id)
        .with_for_update(of=invoice, skip_locked=True)
    )
    closing = temporary_table(work, "closing", chosen)
    leave_held(work, closing, due)
    return closing


def _set_states(work: Work, closing: Table) -> int:
    invoice = invoices.invoice
    statement = (
        update(invoice)
        .values(state=closing.c.state, invoice_date=literal(work.today, Date))
        .where(invoice.c.id == closing.c.id)
    )
    return work.execute(statement).rowcount


def _log_closing(work: Work, closing: Table) -> None:
    customer, invoice = structure.customer, invoices.invoice
    paid = closing.c.state == PAID
    context = merged(customer_context(customer), json_object(year=closing.c.year, month=closing.c.month))
    feeds = json_list(json_list(cast(work.content_types("structure", "customer"), Integer), customer.c.id))
    if rules.has_one_billing_service(work.schema):
        context, feeds = merged(context, invoice_context(invoice)), invoice_feeds(work)
    work_events = (
        select(
            case((paid, "invoice_paid"), else_="invoice_created").cast(Text).label("event_type"),
            text_from(
                "Invoice for customer {customer} has been {what}.",
                customer=customer.c.name,
                what=case((paid, "paid"), else_="created"),
            ).label("message"),
            context.label("context"),
            feeds.label("feeds"),
        )
        .select_from(
            closing.join(customer, customer.c.id == closing.c.customer_id).join(invoice, invoice.c.id == closing.c.id)
        )
        .order_by(closing.c.year, closing.c.month, closing.c.id)
    )
    log_events(work, work_events)
