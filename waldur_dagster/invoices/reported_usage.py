"""Billing of usage that is reported in the middle of a month (spec invoices 1.6, 1.7, 1.12; newer_billing 1.8)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Table, and_, case, cast, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB, distinct_on

from waldur_dagster.invoices import rules
from waldur_dagster.invoices.charged_usage import charged_usage
from waldur_dagster.invoices.components import billed_usage
from waldur_dagster.invoices.item_events import log_changed_items, log_new_items
from waldur_dagster.invoices.items import WARNINGS_SHOWN, fits
from waldur_dagster.invoices.new_invoices import create_invoices_of
from waldur_dagster.invoices.price_estimates import refresh_price_estimates
from waldur_dagster.invoices.states import is_open
from waldur_dagster.invoices.totals import refresh_totals
from waldur_dagster.invoices.usage_items import add_usage_items, is_sold, of_report, overlaps, warn_of_too_large
from waldur_dagster.platform.contexts import NOTHING
from waldur_dagster.platform.expressions import hex_of, merged
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import invoices, marketplace, structure
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

invoice, item, project = invoices.invoice, invoices.invoiceitem, structure.project
resource, offering, component = marketplace.resource, marketplace.offering, marketplace.offeringcomponent
period, plan, priced = marketplace.resourceplanperiod, marketplace.plan, marketplace.plancomponent


def bill_reported_usage(work: Work, reported: FromClause, month: Month | None = None) -> Table:
    """Bill usage of a month, the running one by default, that is new, or has another amount than before.

    ``reported``: resource_id, component_id, plan_period_id, usage. The item of that usage gets the new quantity; where
    there is none one is made, and with it the customer's invoice when the running month has none yet; usage of a month
    that has passed without an invoice is told, not billed. Totals and price estimates follow. Returns the temporary
    table ``billed_usage`` of what was billed, with invoice_id, customer_id, project_id and offering_id. Statements:
    constant.
    """
    running = Month.of(work.as_of, work.zone)
    month = month or running
    billed = _find_items(work, month, reported)
    missing = select(billed.c.customer_id).where(billed.c.invoice_id.is_(None))
    if work.connection.scalar(select(missing.exists())):
        if month.number == running.number:
            create_invoices_of(work, month, missing)
            billed = _find_items(work, month, reported)  # what is billed with a new invoice has its item already
        else:
            _leave_out(work, billed, billed.c.invoice_id.is_(None), f"{month} has no invoice")
    _leave_closed_invoices(work, billed)
    _update_items(work, billed)
    unbilled = select(billed).where(billed.c.item_id.is_(None)).subquery("unbilled")
    made = add_usage_items(work, month, unbilled)
    log_new_items(work, select(made.c.id))
    work.outcome.figures["usage items"] += work.connection.scalar(select(func.count()).select_from(made)) or 0
    refresh_totals(work, select(billed.c.invoice_id))
    if month.number == running.number:
        refresh_price_estimates(work, month, select(billed.c.customer_id).distinct())
    return billed


def _leave_closed_invoices(work: Work, billed: Table) -> None:
    """Newer versions write into open invoices only: usage for a closed one is reported, not billed."""
    if rules.has_one_billing_service(work.schema):
        closed = billed.c.invoice_id.in_(select(invoice.c.id).where(~is_open()))
        _leave_out(work, billed, closed, "the month's invoice is closed")


def _leave_out(work: Work, billed: Table, where: ColumnElement[bool], reason: str) -> None:
    named = select(resource.c.name, resource.c.uuid).join(billed, billed.c.resource_id == resource.c.id)
    for name, uuid in work.connection.execute(named.where(where).distinct().limit(WARNINGS_SHOWN)):
        work.outcome.warn(f"resource {name} ({uuid.hex})", f"its usage is not billed: {reason}")
    work.connection.execute(billed.delete().where(where))


def _update_items(work: Work, billed: Table) -> None:
    """Write the items that are there anew; one that cannot hold the quantity is reported and stays as it was."""
    holds = fits(item.c.unit_price, billed.c.quantity)
    of_component = billed.join(item, item.c.id == billed.c.item_id).join(
        component, component.c.id == billed.c.component_id
    )
    too_large = select(billed.c.resource_id, component.c.type, billed.c.usage).select_from(of_component).where(~holds)
    warn_of_too_large(work, too_large)
    details = merged(item.c.details, billed.c.item_details)
    differs = or_(
        item.c.quantity.is_distinct_from(billed.c.quantity),
        and_(billed.c.item_details != NOTHING, item.c.details.is_distinct_from(details)),
    )
    changed = temporary_table(
        work,
        "changed_item",
        select(
            item.c.id,
            item.c.invoice_id,
            item.c.uuid,
            item.c.name,
            item.c.quantity.label("old_quantity"),
            billed.c.quantity.label("new_quantity"),
            case((billed.c.item_details != NOTHING, details), else_=item.c.details).label("details"),
        )
        .select_from(of_component)
        .where(differs, holds),
    )
    values = {"quantity": changed.c.new_quantity, "details": changed.c.details}
    work.execute(update(item).values(values).where(item.c.id == changed.c.id))
    log_changed_items(work, changed)


def _find_items(work: Work, month: Month, reported: FromClause) -> Table:
    """What is billed of the reports, each with its item if there is one, or with a plan that sells it."""
    schema, charged = work.schema, charged_usage(work, month, reported)
    of_month = and_(
        invoice.c.customer_id == project.c.customer_id, invoice.c.year == month.year, invoice.c.month == month.month
    )
    of_usage, preferred = _item_of_plan(month, charged) if rules.has_billing_modes(schema) else _item_of_time(month)
    key = (charged.c.resource_id, charged.c.component_id, charged.c.plan_period_id)
    quantity = billed_usage(schema, charged.c.usage)
    rows = (
        select(
            *key,
            charged.c.usage,
            charged.c.is_overage,
            quantity.label("quantity"),
            cast(merged(NOTHING, *of_report(schema, quantity)), JSONB).label("item_details"),
            resource.c.project_id,
            resource.c.offering_id,
            project.c.customer_id,
            invoice.c.id.label("invoice_id"),
            item.c.id.label("item_id"),
        )
        .select_from(
            charged.join(resource, resource.c.id == charged.c.resource_id)
            .join(project, project.c.id == resource.c.project_id)
            .join(offering, offering.c.id == resource.c.offering_id)
            .join(component, component.c.id == charged.c.component_id)
            .join(period, period.c.id == charged.c.plan_period_id)
            .join(plan, plan.c.id == period.c.plan_id)
            .outerjoin(priced, and_(priced.c.plan_id == plan.c.id, priced.c.component_id == component.c.id))
            .outerjoin(invoice, of_month)
            .outerjoin(item, and_(item.c.invoice_id == invoice.c.id, _same_component(), of_usage))
        )
        .ext(distinct_on(*key))
        .where(or_(item.c.id.is_not(None), is_sold(schema)))
        .order_by(*key, *preferred, item.c.id)
    )
    return temporary_table(work, "billed_usage", rows)


def _same_component() -> Any:
    return and_(
        item.c.resource_id == resource.c.id,
        item.c.details["offering_component_type"].astext == component.c.type,
    )


def _item_of_time(month: Month) -> tuple[Any, list[Any]]:
    """The item within the time of the plan; the oldest if there are several (spec invoices 1.6)."""
    within = and_(
        item.c.start >= func.coalesce(period.c.start, literal(month.start)),
        item.c.end <= func.coalesce(period.c.end, literal(month.end)),
    )
    return within, []


def _item_of_plan(month: Month, charged: FromClause) -> tuple[Any, list[Any]]:
    """The item of the plan in this month; else one that names no time, and this plan, or any if there is but one.

    Compensations and discounts have negative prices, items of limits have times of their own: they are never usage.
    """
    other, twin = period.alias("other"), period.alias("twin")
    named = item.c.details["plan_period_uuid"].astext
    of_plan = (
        select(hex_of(twin.c.uuid))
        .where(twin.c.resource_id == resource.c.id, twin.c.plan_id == plan.c.id, overlaps(month, twin))
        .correlate(resource, plan)
    )
    is_only = ~(
        select(other.c.id)
        .where(other.c.resource_id == resource.c.id, other.c.id != period.c.id, overlaps(month, other))
        .correlate(resource, period)
        .exists()
    )
    same_time = or_(named == hex_of(period.c.uuid), named.in_(of_plan))
    same_plan = item.c.details["plan_uuid"].astext == hex_of(plan.c.uuid)
    timeless = and_(named.is_(None), item.c.details["resource_limit_periods"].is_(None))
    is_overage = func.coalesce(item.c.details["is_overage"].astext, "false") == "true"
    found = and_(
        item.c.unit_price >= 0,
        is_overage == charged.c.is_overage,
        or_(same_time, and_(timeless, or_(same_plan, is_only))),
    )
    return found, [func.coalesce(same_time, False).desc(), same_plan.desc().nulls_last()]
