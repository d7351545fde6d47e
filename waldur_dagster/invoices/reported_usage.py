"""Billing of usage that is reported in the middle of a month (spec invoices 1.6, 1.7 and 1.12)."""

from __future__ import annotations

from sqlalchemy import FromClause, Table, and_, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import distinct_on

from waldur_dagster.invoices.items import fits
from waldur_dagster.invoices.new_invoices import create_invoices_of
from waldur_dagster.invoices.price_estimates import refresh_price_estimates
from waldur_dagster.invoices.totals import refresh_totals
from waldur_dagster.invoices.usage_items import add_usage_items, billed_amount, is_billed_by_usage, warn_of_too_large
from waldur_dagster.platform.month import Month
from waldur_dagster.platform.temporary import temporary_table
from waldur_dagster.schema import invoices, marketplace, structure
from waldur_dagster.work import Work


def bill_reported_usage(work: Work, reported: FromClause) -> Table:
    """Bill usage of the running month that is new, or has another amount than before.

    ``reported``: resource_id, component_id, plan_period_id, usage. The item of that time and component gets the new
    quantity; where there is none one is made, and with it the customer's invoice when the month has none yet. Totals
    and price estimates follow. Returns the temporary table ``billed_usage`` of what was billed, with invoice_id,
    customer_id, project_id and offering_id. Statements: constant.
    """
    month = Month.of(work.as_of, work.zone)
    billed = _find_items(work, month, reported)
    missing = select(billed.c.customer_id).where(billed.c.invoice_id.is_(None))
    if work.connection.scalar(select(missing.exists())):
        create_invoices_of(work, month, missing)
        billed = _find_items(work, month, reported)  # recurring usage may have its item already
    _set_quantities(work, billed)
    unbilled = select(billed).where(billed.c.item_id.is_(None)).subquery("unbilled")
    work.outcome.figures["usage items"] += add_usage_items(work, month, unbilled)
    refresh_totals(work, select(billed.c.invoice_id))
    refresh_price_estimates(work, month, select(billed.c.customer_id).distinct())
    return billed


def _set_quantities(work: Work, billed: Table) -> None:
    """Give the items that are there the new quantity; one that they cannot hold is reported and the old one stays."""
    item, component = invoices.invoiceitem, marketplace.offeringcomponent
    holds = fits(item.c.unit_price, billed.c.quantity)
    of_component = billed.join(item, item.c.id == billed.c.item_id).join(
        component, component.c.id == billed.c.component_id
    )
    too_large = select(billed.c.resource_id, component.c.type, billed.c.usage).select_from(of_component).where(~holds)
    warn_of_too_large(work, too_large)
    differs = item.c.quantity.is_distinct_from(billed.c.quantity)
    work.execute(update(item).values(quantity=billed.c.quantity).where(item.c.id == billed.c.item_id, differs, holds))


def _find_items(work: Work, month: Month, reported: FromClause) -> Table:
    """What is billed of the reports: all with an item, which is the oldest if there are several, or with a price."""
    invoice, item, project = invoices.invoice, invoices.invoiceitem, structure.project
    resource, offering, component = marketplace.resource, marketplace.offering, marketplace.offeringcomponent
    period, priced = marketplace.resourceplanperiod, marketplace.plancomponent
    of_month = and_(
        invoice.c.customer_id == project.c.customer_id, invoice.c.year == month.year, invoice.c.month == month.month
    )
    of_usage = and_(
        item.c.invoice_id == invoice.c.id,
        item.c.resource_id == resource.c.id,
        item.c.start >= func.coalesce(period.c.start, literal(month.start)),
        item.c.end <= func.coalesce(period.c.end, literal(month.end)),
        item.c.details["offering_component_type"].astext == component.c.type,
    )
    key = (reported.c.resource_id, reported.c.component_id, reported.c.plan_period_id)
    rows = (
        select(
            *key,
            reported.c.usage,
            billed_amount(reported.c.usage).label("quantity"),
            resource.c.project_id,
            resource.c.offering_id,
            project.c.customer_id,
            invoice.c.id.label("invoice_id"),
            item.c.id.label("item_id"),
        )
        .select_from(
            reported.join(resource, resource.c.id == reported.c.resource_id)
            .join(project, project.c.id == resource.c.project_id)
            .join(offering, offering.c.id == resource.c.offering_id)
            .join(component, component.c.id == reported.c.component_id)
            .join(period, period.c.id == reported.c.plan_period_id)
            .outerjoin(priced, and_(priced.c.plan_id == period.c.plan_id, priced.c.component_id == component.c.id))
            .outerjoin(invoice, of_month)
            .outerjoin(item, of_usage)
        )
        .ext(distinct_on(*key))
        .where(is_billed_by_usage(), or_(item.c.id.is_not(None), priced.c.id.is_not(None)))
        .order_by(*key, item.c.id)
    )
    return temporary_table(work, "billed_usage", rows)
