"""Queries for what should not be among the invoices of a month."""

from typing import Any

from sqlalchemy import Select, cast, exists, func, or_, select

from waldur_dagster.invoices.items import BILLED_TYPES, CREATING, TERMINATED
from waldur_dagster.invoices.money import item_price, with_tax
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


def customers_without_invoice(_: Work, site: RunSite) -> Select[Any]:
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
        offering.c.type.in_(BILLED_TYPES),
        resource.c.state.not_in((CREATING, TERMINATED)),
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
    """Invoices of earlier months that are still open."""
    month = site.month
    earlier = month_number(invoice) < month.number
    return select(invoice.c.id, invoice.c.year, invoice.c.month).where(invoice.c.state == "pending", earlier)


def items_outside_the_month(_: Work, site: RunSite) -> Select[Any]:
    """Items of the month that begin before it or end after it."""
    month = site.month
    return (
        select(item.c.id, item.c.name, item.c.start, item.c.end)
        .join(invoice, invoice.c.id == item.c.invoice_id)
        .where(invoice.c.year == month.year, invoice.c.month == month.month)
        .where(or_(item.c.start < month.start, item.c.end > month.end))
    )
