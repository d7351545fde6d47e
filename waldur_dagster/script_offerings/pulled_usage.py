"""Usage that a pull script reports (spec marketplace, waldur-marketplace-script-pull-resources)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, Integer, Numeric, Text, and_, case, extract, func, literal, select

from waldur_dagster.billing.usage_reports import report_usage
from waldur_dagster.clients.containers import ScriptFailed
from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import marketplace
from waldur_dagster.script_offerings.pulled import Usage
from waldur_dagster.work import Work

TAKES_USAGE = (ResourceState.OK, ResourceState.UPDATING, ResourceState.TERMINATING)
period, component, usage = marketplace.resourceplanperiod, marketplace.offeringcomponent, marketplace.componentusage


class NotTaken(Exception):
    """The usages of a report cannot be taken; the rest of it can."""


@dataclass(frozen=True)
class Metered:
    """A component that usage may be reported of. ``used`` in its limit's period, without what is reported now."""

    id: int
    limit: int | None
    used: Decimal

    def is_exceeded_by(self, amount: Decimal) -> bool:
        return self.used + amount > self.limit if self.limit else False


def plan_period_of(work: Work, resource: Any) -> Any:
    """The time of the resource's plan that usage counts for: the one that holds now, or the only one.

    Raises ScriptFailed when there is none, or when there are several and none holds.
    """
    found = work.connection.execute(
        select(period.c.id, period.c.start, period.c.end)
        .where(period.c.resource_id == resource.id, period.c.plan_id == resource.plan_id)
        .order_by(period.c.start.desc().nulls_last(), period.c.id.desc())
    ).all()
    for row in found:
        if (row.start is None or row.start <= work.as_of) and (row.end is None or row.end > work.as_of):
            return row
    if len(found) == 1:
        return found[0]
    raise ScriptFailed("The resource has no plan period now that its usage could be counted for.")


def keep_usages(work: Work, resource: Any, plan_period: Any, usages: list[Usage], robot: int) -> dict[str, str]:
    """Write the usages of the running month; returns the amounts by component type, as the resource shows them.

    Raises NotTaken when none can be taken, and ScriptFailed at the first that exceeds its component's limit, when those
    before it are kept.
    """
    month = Month.of(work.as_of, work.zone)
    if plan_period.end is not None and plan_period.end < month.start:
        raise NotTaken("the time of its plan ended before this month")
    if resource.state not in TAKES_USAGE:
        raise NotTaken(f"it is {ResourceState(resource.state).name.lower()}")
    metered = _metered(work, month, resource, plan_period.id)
    if unknown := sorted({given.type for given in usages} - metered.keys()):
        raise NotTaken(f"its offering has no usage of {', '.join(unknown)}")
    excess = next((given for given in usages if metered[given.type].is_exceeded_by(given.cents)), None)
    taken = usages[: usages.index(excess)] if excess else usages
    _write(work, resource.id, plan_period.id, {metered[given.type].id: given for given in taken}, robot)
    if excess:
        limit = metered[excess.type].limit
        raise ScriptFailed(f"The usage of {excess.type}, now {excess.cents}, exceeds its limit of {limit}.")
    return {given.type: str(given.cents) for given in usages}


def _metered(work: Work, month: Month, resource: Any, plan_period: int) -> dict[str, Metered]:
    """The components of the resource's offering by type. A limit of nothing is none, as in Waldur."""
    replaced = and_(usage.c.plan_period_id == plan_period, usage.c.billing_period == month.first)
    in_year = extract("year", usage.c.billing_period) == month.year
    in_quarter = extract("quarter", usage.c.billing_period) == (month.month + 2) // 3
    counted = case(
        (component.c.limit_period == "month", usage.c.billing_period == month.first),
        (component.c.limit_period == "annual", in_year),
        (component.c.limit_period == "quarterly", and_(in_year, in_quarter)),
        else_=True,
    )
    of_resource = and_(usage.c.component_id == component.c.id, usage.c.resource_id == resource.id, ~replaced, counted)
    has_limit = and_(component.c.billing_type == "usage", func.coalesce(component.c.limit_period, "") != "")
    found = work.connection.execute(
        select(
            component.c.id,
            component.c.type,
            case((has_limit, component.c.limit_amount)).label("limit"),
            func.coalesce(func.sum(usage.c.usage), 0).label("used"),
        )
        .select_from(component.outerjoin(usage, of_resource))
        .where(component.c.offering_id == resource.offering_id, component.c.billing_type.in_(("usage", "limit")))
        .group_by(component.c.id)
    )
    return {row.type: Metered(row.id, row.limit, row.used) for row in found}


def _write(work: Work, resource_id: int, plan_period: int, usages: dict[int, Usage], robot: int) -> None:
    """``usages`` by component."""
    if not usages:
        return
    rows = given_rows(
        [
            {"component_id": id, "usage": given.cents, "description": given.description, "recurring": given.recurring}
            for id, given in usages.items()
        ],
        component_id=Integer,
        usage=Numeric,
        description=Text,
        recurring=Boolean,
    )
    report_usage(
        work,
        select(
            literal(resource_id).label("resource_id"),
            rows.c.component_id,
            literal(plan_period).label("plan_period_id"),
            rows.c.usage,
            rows.c.description,
            rows.c.recurring,
            literal(robot).label("modified_by_id"),
        ),
    )
