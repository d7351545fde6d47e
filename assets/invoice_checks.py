"""What has to be true of invoices, always (design section 4)."""

from typing import Any

import dagster as dg
from sqlalchemy import Select, cast, exists, func, or_, select

from assets.violations import of_month, violation_check
from waldur_dagster.invoices.items import BILLED_TYPES, CREATING, TERMINATED
from waldur_dagster.invoices.money import item_price, with_tax
from waldur_dagster.platform.month import Month, month_number
from waldur_dagster.schema import invoices, marketplace, structure

invoice, item = invoices.invoice, invoices.invoiceitem


def stale_totals(month: Month) -> Select[Any]:
    """Invoices whose stored totals are not the sum of their items."""
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


def customers_without_invoice(month: Month) -> Select[Any]:
    """Active customers with something to bill that have no invoice of the month, or more than one."""
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


def open_past_invoices(month: Month) -> Select[Any]:
    """Invoices of earlier months that are still open."""
    earlier = month_number(invoice) < month.number
    return select(invoice.c.id, invoice.c.year, invoice.c.month).where(invoice.c.state == "pending", earlier)


def items_outside_the_month(month: Month) -> Select[Any]:
    """Items of the month that begin before it or end after it."""
    return (
        select(item.c.id, item.c.name, item.c.start, item.c.end)
        .join(invoice, invoice.c.id == item.c.invoice_id)
        .where(invoice.c.year == month.year, invoice.c.month == month.month)
        .where(or_(item.c.start < month.start, item.c.end > month.end))
    )


CHECKS = {
    "totals_are_the_sum_of_items": (stale_totals, True),
    "one_invoice_for_each_customer": (customers_without_invoice, False),
    "past_invoices_are_closed": (open_past_invoices, False),
    "items_lie_in_the_month": (items_outside_the_month, False),
}


def build() -> list[dg.AssetChecksDefinition]:
    return [
        violation_check("invoices", name, of_month(violations), str(violations.__doc__), grave=grave)
        for name, (violations, grave) in CHECKS.items()
    ]
