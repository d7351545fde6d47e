"""Cached totals of invoices (spec invoices 1.2, update-invoices-total-cost)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Numeric, Select, cast, func, or_, select, update

from waldur_dagster.invoices.held import tell_held
from waldur_dagster.invoices.money import item_price, with_tax
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import invoices, structure
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work


def refresh_totals(work: Work, which: Select[Any]) -> int:
    """Recompute total_price and total_cost of the invoices whose ids ``which`` selects; returns how many changed.

    Invoices that somebody else is writing are told and left as they are.
    """
    invoice, item = invoices.invoice, invoices.invoiceitem
    chosen = select(invoice.c.id).where(invoice.c.id.in_(which))
    free = temporary_table(
        work, "free_invoice", chosen.order_by(invoice.c.id).with_for_update(of=invoice, skip_locked=True)
    )
    sums = (
        select(invoice.c.id, func.coalesce(func.sum(item_price(item)), 0).label("price"), invoice.c.tax_percent)
        .select_from(invoice.outerjoin(item, item.c.invoice_id == invoice.c.id))
        .where(invoice.c.id.in_(select(free.c.id)))
        .group_by(invoice.c.id)
        .subquery("sums")
    )
    price = _money(sums.c.price)
    cost = _money(with_tax(sums.c.price, sums.c.tax_percent))
    statement = (
        update(invoice)
        .values(total_price=price, total_cost=cost)
        .where(
            invoice.c.id == sums.c.id,
            or_(invoice.c.total_price.is_distinct_from(price), invoice.c.total_cost.is_distinct_from(cost)),
        )
    )
    customer = structure.customer
    held = select(customer.c.name).join(invoice, invoice.c.customer_id == customer.c.id)
    tell_held(work, "an invoice", held.where(invoice.c.id.in_(which), invoice.c.id.not_in(select(free.c.id))))
    return work.execute(statement).rowcount


def refresh_month_totals(work: Work, month: Month) -> int:
    """The job update-invoices-total-cost: all invoices of a month, in every state, of archived customers too.

    Closed invoices are as the month's closing left them, so for them nothing differs.
    """
    invoice = invoices.invoice
    return refresh_totals(
        work, select(invoice.c.id).where(invoice.c.year == month.year, invoice.c.month == month.month)
    )


def _money(amount: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(amount, Numeric(22, 2))
