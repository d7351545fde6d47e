"""Usage of last month that holds for this one too, as its report says (spec newer_billing 1.8)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Date, Integer, Select, Table, and_, case, cast, exists, func, literal, null, or_, select
from sqlalchemy.dialects.postgresql import distinct_on

from waldur_dagster.invoices.charged_usage import charged_usage
from waldur_dagster.invoices.components import TERMINATED
from waldur_dagster.invoices.usage_items import add_usage_items, overlaps
from waldur_dagster.platform.month import Month
from waldur_dagster.platform.state_codes import ResourceState
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

OK, UPDATING = ResourceState.OK, ResourceState.UPDATING
usage, period = marketplace.componentusage, marketplace.resourceplanperiod
resource, project = marketplace.resource, structure.project


def carry_usage_over(work: Work, month: Month, new_invoice: Table) -> Table:
    """Write what ``missing_usage_policy`` says for this month where nothing is reported yet, and bill all its usage.

    ``reuse`` writes last month's usage again, ``zero`` a usage of 0. Reports of this month that came before its
    invoice are billed with it. Returns the table of new items.
    """
    carried = _carried(work, month, new_invoice)
    _begin_plan_periods(work, carried)
    current = _current_period(work, month)
    rows = select(
        func.gen_random_uuid().label("uuid"),
        literal(work.as_of).label("created"),
        literal(work.as_of).label("modified"),
        carried.c.resource_id,
        carried.c.component_id,
        func.coalesce(current, carried.c.plan_period_id).label("plan_period_id"),
        case((carried.c.missing_usage_policy == "reuse", carried.c.usage), else_=0).label("usage"),
        literal(work.as_of).label("date"),
        literal(month.first, Date).label("billing_period"),
        carried.c.missing_usage_policy,
        carried.c.description,
        literal("").label("backend_id"),
        carried.c.modified_by_id,
    ).join_from(carried, resource, resource.c.id == carried.c.resource_id)
    work.execute(work.insert_from(usage, rows.order_by(carried.c.resource_id, carried.c.component_id)))
    due = _usage_of(month, new_invoice).subquery("due")
    return add_usage_items(work, month, charged_usage(work, month, due))


def _carried(work: Work, month: Month, new_invoice: Table) -> Table:
    """Last month's reports that speak for this month too: the latest of each resource and component."""
    present = usage.alias("present")
    reported = exists().where(
        present.c.resource_id == usage.c.resource_id,
        present.c.component_id == usage.c.component_id,
        present.c.billing_period == month.first,
    )
    key = (usage.c.resource_id, usage.c.component_id)
    copied = ("plan_period_id", "usage", "missing_usage_policy", "description", "modified_by_id")
    chosen = (
        select(*key, *(usage.c[name] for name in copied))
        .select_from(_of_customers(new_invoice))
        .ext(distinct_on(*key))
        .where(
            usage.c.billing_period == month.previous.first,
            usage.c.missing_usage_policy.in_(("reuse", "zero")),
            resource.c.state != TERMINATED,
            ~reported,
        )
        .order_by(*key, usage.c.date.desc(), usage.c.id.desc())
    )
    return temporary_table(work, "carried_usage", chosen)


def _of_customers(new_invoice: Table) -> Any:
    return (
        usage.join(resource, resource.c.id == usage.c.resource_id)
        .join(project, project.c.id == resource.c.project_id)
        .join(new_invoice, new_invoice.c.customer_id == project.c.customer_id)
    )


def _begin_plan_periods(work: Work, carried: Table) -> None:
    """Resources in use that have a plan, but no time of it, get one since they were made."""
    known = exists().where(period.c.resource_id == resource.c.id)
    lacking = (
        select(
            func.gen_random_uuid().label("uuid"),
            literal(work.as_of).label("created"),
            literal(work.as_of).label("modified"),
            resource.c.id.label("resource_id"),
            resource.c.plan_id,
            resource.c.created.label("start"),
            cast(null(), period.c.end.type).label("end"),
        )
        .where(
            resource.c.id.in_(select(carried.c.resource_id)),
            resource.c.plan_id.is_not(None),
            resource.c.state.in_((OK, UPDATING)),
            ~known,
        )
        .order_by(resource.c.id)
    )
    work.execute(work.insert_from(period, lacking))


def _current_period(work: Work, month: Month) -> Any:
    """The time of a plan that holds now, else the latest in the month, of the resource in the statement around it."""
    holds = and_(
        or_(period.c.start.is_(None), period.c.start <= work.as_of),
        or_(period.c.end.is_(None), period.c.end > work.as_of),
    )
    latest = (cast(holds, Integer).desc(), period.c.start.desc().nulls_last(), period.c.id.desc())
    return (
        select(period.c.id)
        .where(period.c.resource_id == resource.c.id, or_(holds, overlaps(month)))
        .order_by(*latest)
        .limit(1)
        .correlate(resource)
        .scalar_subquery()
    )


def _usage_of(month: Month, new_invoice: Table) -> Select[Any]:
    columns = (usage.c.resource_id, usage.c.component_id, usage.c.plan_period_id, usage.c.usage)
    return (
        select(*columns, new_invoice.c.id.label("invoice_id"))
        .select_from(_of_customers(new_invoice))
        .where(usage.c.billing_period == month.first, resource.c.state != TERMINATED)
    )
