"""Queries for what should not be when invoices have been closed: of credits, and of the ledger where a site has one."""

from typing import Any

from sqlalchemy import Integer, Select, Text, and_, false, func, literal, select, union_all

from waldur_dagster.invoices.money import item_price
from waldur_dagster.platform.credit_ledger import keeps_ledger
from waldur_dagster.platform.expressions import hex_of
from waldur_dagster.resources import RunSite
from waldur_dagster.schema import invoices
from waldur_dagster.work import Work

invoice, item, booked = invoices.invoice, invoices.invoiceitem, invoices.credittransaction
KINDS = (
    ("customer", invoices.customercredit, booked.c.credit_id),
    ("project", invoices.projectcredit, booked.c.project_credit_id),
)
NOTHING = select(literal(0, Integer).label("id")).where(false())


def overdrawn_credits(_: Work, __: RunSite) -> Select[Any]:
    """Credits that have paid more than they had."""
    parts = [select(literal(kind, Text).label("of"), credit.c.id, credit.c.value) for kind, credit, _ in KINDS]
    found = union_all(*(part.where(part.selected_columns["value"] < 0) for part in parts))
    return select(found.subquery("overdrawn"))


def unbalanced_ledgers(work: Work, _: RunSite) -> Select[Any]:
    """Credits whose ledger does not add up to their value.

    Of those that are as old as the ledger itself, or older, nobody knows whether it has what they began with.
    """
    if not keeps_ledger(work.schema):
        return NOTHING
    beginning = select(func.min(booked.c.created)).scalar_subquery()
    parts = [
        select(
            literal(kind, Text).label("of"),
            credit.c.id,
            credit.c.value,
            func.coalesce(func.sum(booked.c.amount), 0).label("ledger"),
        )
        .select_from(credit.outerjoin(booked, own == credit.c.id))
        .where(credit.c.created > beginning)
        .group_by(credit.c.id)
        .having(credit.c.value != func.coalesce(func.sum(booked.c.amount), 0))
        for kind, credit, own in KINDS
    ]
    return select(union_all(*parts).subquery("unbalanced"))


def excessive_compensations(_: Work, site: RunSite) -> Select[Any]:
    """Compensations of the month that was closed last that pay more than their item costs, discounts taken off."""
    month, paid, discount = site.month.previous, item.alias("paid"), item.alias("discount_row")
    lowered = (
        select(func.coalesce(func.sum(item_price(discount)), 0))
        .where(
            discount.c.invoice_id == item.c.invoice_id,
            discount.c.details.op("->>")("discount_of_item") == hex_of(paid.c.uuid),
        )
        .scalar_subquery()
    )
    of_item = and_(
        paid.c.invoice_id == item.c.invoice_id,
        hex_of(paid.c.uuid) == item.c.details.op("->>")("compensation_of_item"),
    )
    cost = item_price(paid) + lowered
    return (
        select(item.c.id, item.c.name, (-item.c.unit_price).label("compensation"), cost.label("cost"))
        .join(paid, of_item)
        .join(invoice, invoice.c.id == item.c.invoice_id)
        .where(invoice.c.year == month.year, invoice.c.month == month.month, item.c.credit_id.is_not(None))
        .where(-item.c.unit_price > cost)
    )


def unbooked_compensations(work: Work, site: RunSite) -> Select[Any]:
    """Invoices of the month that was closed last whose compensations are more than the ledger says was drawn.

    Of months before the ledger nothing is known.
    """
    if not keeps_ledger(work.schema):
        return NOTHING
    month = site.month.previous
    kept_since = select(func.min(booked.c.created)).scalar_subquery()
    invoice_type = work.content_types("invoices", "invoice")
    drawn = (
        select(func.coalesce(-func.sum(booked.c.amount), 0))
        .where(
            booked.c.content_type_id == invoice_type,
            booked.c.object_id == invoice.c.id,
            booked.c.credit_id.is_not(None),
            booked.c.transaction_type.in_(("compensation", "minimal_draw", "rollback")),
        )
        .scalar_subquery()
    )
    paid = func.sum(-item.c.unit_price)
    return (
        select(invoice.c.id, paid.label("compensations"), drawn.label("drawn"))
        .join(item, item.c.invoice_id == invoice.c.id)
        .where(invoice.c.year == month.year, invoice.c.month == month.month, item.c.credit_id.is_not(None))
        .where(kept_since <= site.month.start)
        .group_by(invoice.c.id)
        .having(paid > drawn)
    )
