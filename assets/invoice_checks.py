"""Queries for what should not be among the invoices of a month."""

from typing import Any

from sqlalchemy import Select, and_, case, cast, exists, func, literal, or_, select

from waldur_dagster.invoices import rules
from waldur_dagster.invoices.components import has_resources_to_bill
from waldur_dagster.invoices.money import item_price, with_tax
from waldur_dagster.invoices.states import PENDING, WAITING
from waldur_dagster.platform.expressions import hex_of
from waldur_dagster.platform.month import month_number
from waldur_dagster.resources import RunSite
from waldur_dagster.schema import invoices, marketplace, structure
from waldur_dagster.work import Work

invoice, item = invoices.invoice, invoices.invoiceitem


def stale_totals(_: Work, site: RunSite) -> Select[Any]:
    """Invoices whose stored totals are not the sum of their items."""
    month = site.month
    price = func.coalesce(func.sum(item_price(item)), 0)
    money = invoice.c.total_cost.type
    return (
        select(invoice.c.id, invoice.c.total_price, price.label("sum of items"))
        .select_from(invoice.outerjoin(item, item.c.invoice_id == invoice.c.id))
        .where(invoice.c.year == month.year, invoice.c.month == month.month)
        .group_by(invoice.c.id)
        .having(
            or_(
                invoice.c.total_price != cast(price, money),
                invoice.c.total_cost != cast(with_tax(price, invoice.c.tax_percent), money),
            )
        )
    )


def customers_without_invoice(work: Work, site: RunSite) -> Select[Any]:
    """Active customers with something to bill that have no invoice of the month, or more than one."""
    month = site.month
    customer, project, resource, offering = (
        structure.customer,
        structure.project,
        marketplace.resource,
        marketplace.offering,
    )
    billable = exists().where(
        project.c.customer_id == customer.c.id,
        resource.c.project_id == project.c.id,
        offering.c.id == resource.c.offering_id,
        has_resources_to_bill(work.schema),
        resource.c.plan_id.is_not(None),
    )
    own = (invoice.c.customer_id == customer.c.id) & (invoice.c.year == month.year) & (invoice.c.month == month.month)
    return (
        select(customer.c.id, customer.c.name, func.count(invoice.c.id).label("invoices"))
        .select_from(customer.outerjoin(invoice, own))
        .where(~customer.c.archived, customer.c.accounting_start_date <= month.start, billable)
        .group_by(customer.c.id)
        .having(func.count(invoice.c.id) != 1)
    )


def open_past_invoices(_: Work, site: RunSite) -> Select[Any]:
    """Invoices of earlier months that are still open; those of last month may wait for their closing."""
    month, number = site.month, month_number(invoice)
    waiting = and_(invoice.c.state == WAITING, number < month.previous.number)
    open_ones = or_(and_(invoice.c.state == PENDING, number < month.number), waiting)
    return select(invoice.c.id, invoice.c.year, invoice.c.month).where(open_ones)


def items_outside_their_time(work: Work, site: RunSite) -> Select[Any]:
    """Items of the month that begin before their time or end after it: the month, or the quarter or year of a limit."""
    month, periods = site.month, item.c.details["resource_limit_periods"]
    own = rules.has_own_limit_periods(work.schema)
    first, last = periods[0]["start"].astext, periods[-1]["end"].astext
    has_own = and_(func.jsonb_typeof(periods) == "array", literal(own))
    begin = case((has_own, cast(first, item.c.start.type)), else_=literal(month.start))
    end = case((has_own, cast(last, item.c.end.type)), else_=literal(month.end))
    return (
        select(item.c.id, item.c.name, item.c.start, item.c.end)
        .join(invoice, invoice.c.id == item.c.invoice_id)
        .where(invoice.c.year == month.year, invoice.c.month == month.month)
        .where(or_(item.c.start < begin, item.c.end > end))
    )


def discounts_above_their_items(_: Work, site: RunSite) -> Select[Any]:
    """Items of the month whose volume discounts take off more than they cost."""
    month, discount = site.month, invoices.invoiceitem.alias("discount")
    taken = -func.sum(item_price(discount))
    of_item = discount.c.details["discount_of_item"].astext
    return (
        select(item.c.id, item.c.name, item_price(item).label("price"), taken.label("discount"))
        .select_from(
            item.join(invoice, invoice.c.id == item.c.invoice_id).join(
                discount, and_(discount.c.invoice_id == invoice.c.id, of_item == hex_of(item.c.uuid))
            )
        )
        .where(invoice.c.year == month.year, invoice.c.month == month.month)
        .where(discount.c.details["is_discount"].astext == "true")
        .group_by(item.c.id)
        .having(taken > item_price(item))
    )
