"""What affiliates earn of the invoices of customers whom they brought (spec newer_billing 2.10)."""

from __future__ import annotations

from sqlalchemy import Date, Integer, Numeric, Table, cast, func, literal, null, or_, select, update

from waldur_dagster.invoices import rules
from waldur_dagster.invoices.money import HUNDREDTH, item_price, round_up
from waldur_dagster.invoices.states import BILLED
from waldur_dagster.platform.contexts import customer_context
from waldur_dagster.platform.credit_ledger import AFFILIATE_FEE, book
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import json_list, json_object, merged, text_from, whole_part
from waldur_dagster.schema import invoices, structure
from waldur_dagster.temporary import temporary_returned, temporary_table
from waldur_dagster.work import Work

link, accrual, credit = invoices.customeraffiliate, invoices.affiliatefeeaccrual, invoices.customercredit
invoice, item, customer = invoices.invoice, invoices.invoiceitem, structure.customer


def accrue_affiliate_fees(work: Work, closing: Table) -> None:
    """Add to the affiliates' credits their share of the invoices that were just closed, where the site has that.

    The share is of the net price that is left after compensation; an invoice is shared once.
    """
    if not (rules.has_affiliates(work.schema) and work.constance["AFFILIATES_ENABLED"]):
        return
    made = _accrue(work, closing)
    _pay(work, _earned(work, made))
    _book(work, made)
    _log(work, made)


def _accrue(work: Work, closing: Table) -> Table:
    """The rows of invoices_affiliatefeeaccrual that were made: id, affiliate_link_id, invoice_id, amount."""
    first_day = func.make_date(cast(closing.c.year, Integer), cast(closing.c.month, Integer), 1, type_=Date)
    net = (
        select(func.coalesce(func.sum(item_price(item)), 0)).where(item.c.invoice_id == closing.c.id).scalar_subquery()
    )
    shares = (
        select(
            link.c.id.label("affiliate_link_id"), closing.c.id.label("invoice_id"), net.label("net"), link.c.fee_percent
        )
        .join(closing, closing.c.customer_id == link.c.customer_id)
        .where(
            link.c.is_active,
            closing.c.state == BILLED,
            link.c.start_date <= first_day,
            or_(link.c.end_date.is_(None), link.c.end_date > first_day),
        )
        .subquery("share")
    )
    fee = round_up(shares.c.net * cast(shares.c.fee_percent, Numeric) * HUNDREDTH)
    rows = (
        select(
            func.gen_random_uuid().label("uuid"),
            literal(work.as_of).label("created"),
            literal(work.as_of).label("modified"),
            shares.c.affiliate_link_id,
            shares.c.invoice_id,
            fee.label("amount"),
        )
        .where(shares.c.net > 0, fee > 0)
        .order_by(shares.c.invoice_id)
    )
    statement = (
        work.insert_from(accrual, rows)
        .on_conflict_do_nothing(index_elements=[accrual.c.affiliate_link_id, accrual.c.invoice_id])
        .returning(accrual.c.id, accrual.c.affiliate_link_id, accrual.c.invoice_id, accrual.c.amount)
    )
    return temporary_returned(work, "new_accrual", statement)


def _earned(work: Work, made: Table) -> Table:
    """What each affiliate earned: customer_id, amount; affiliates without a credit get an empty one."""
    sums = (
        select(link.c.affiliate_id.label("customer_id"), func.sum(made.c.amount).label("amount"))
        .join(made, made.c.affiliate_link_id == link.c.id)
        .group_by(link.c.affiliate_id)
    )
    earned = temporary_table(work, "affiliate_earning", sums)
    lacking = (
        select(
            func.gen_random_uuid().label("uuid"),
            literal(work.as_of).label("created"),
            literal(work.as_of).label("modified"),
            earned.c.customer_id,
            literal(0).label("value"),
        )
        .select_from(earned.outerjoin(credit, credit.c.customer_id == earned.c.customer_id))
        .where(credit.c.id.is_(None))
        .order_by(earned.c.customer_id)
    )
    work.execute(work.insert_from(credit, lacking))
    return earned


def _pay(work: Work, earned: Table) -> None:
    work.execute(
        update(credit)
        .values(value=credit.c.value + earned.c.amount, modified=work.as_of)
        .where(credit.c.customer_id == earned.c.customer_id)
    )


def _book(work: Work, made: Table) -> None:
    """In the ledger, each by itself; it names the accrual."""
    movements = (
        select(
            made.c.id.label("position"),
            credit.c.id.label("credit_id"),
            cast(null(), Integer).label("project_credit_id"),
            made.c.amount,
            literal(AFFILIATE_FEE).label("transaction_type"),
            cast(literal(work.content_types.get("invoices", "affiliatefeeaccrual")), Integer).label("content_type_id"),
            made.c.id.label("object_id"),
        )
        .join(link, link.c.id == made.c.affiliate_link_id)
        .join(credit, credit.c.customer_id == link.c.affiliate_id)
    )
    book(work, movements)


def _log(work: Work, made: Table) -> None:
    period = func.to_char(func.make_date(cast(invoice.c.year, Integer), cast(invoice.c.month, Integer), 1), "YYYY-MM")
    customer_type = work.content_types("structure", "customer")
    later = func.sum(made.c.amount).over(partition_by=credit.c.id, order_by=made.c.id, rows=(1, None))
    balance = credit.c.value - func.coalesce(later, 0)
    own = json_object(amount=made.c.amount, period=period, credit_balance=whole_part(balance))
    source = (
        select(
            literal("increase_of_customer_credit_due_to_affiliate_fee").label("event_type"),
            text_from(
                "{customer} earned an affiliate fee of {amount} for period {period}.",
                customer=customer.c.name,
                amount=cast(made.c.amount, Numeric(16, 2)),
                period=period,
            ).label("message"),
            merged(own, customer_context(customer)).label("context"),
            json_list(json_list(customer_type, customer.c.id)).label("feeds"),
        )
        .select_from(
            made.join(link, link.c.id == made.c.affiliate_link_id)
            .join(customer, customer.c.id == link.c.affiliate_id)
            .join(credit, credit.c.customer_id == customer.c.id)
            .join(invoice, invoice.c.id == made.c.invoice_id)
        )
        .order_by(made.c.id)
    )
    log_events(work, source)
