"""What of reported usage is charged, and under which component (spec newer_billing 1.8).

Usage of a prepaid component is charged where it exceeds what was bought, at the price of another component: overage.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    FromClause,
    Integer,
    Interval,
    Numeric,
    Select,
    Table,
    and_,
    case,
    cast,
    extract,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import distinct_on

from waldur_dagster.invoices import rules
from waldur_dagster.invoices.components import billing_type, is_billed_here, is_prepaid, limit_in, limit_period
from waldur_dagster.invoices.items import WARNINGS_SHOWN
from waldur_dagster.platform.expressions import json_number
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import marketplace
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

MONTH = literal_column("interval '1 month'", Interval)
resource, offering, plan = marketplace.resource, marketplace.offering, marketplace.plan
component, period, usage = marketplace.offeringcomponent, marketplace.resourceplanperiod, marketplace.componentusage


def charged_usage(work: Work, month: Month, due: FromClause) -> Table:
    """The temporary table ``charged_usage``: of the usage of a month in ``due``, what is to be billed.

    ``due``: resource_id, component_id, plan_period_id, usage, and columns that are passed on. The result has the
    component that is billed and the amount of it, and ``is_overage``; an overage of 0 only corrects an earlier one.
    Where usage has one item for each plan, only the latest time of a plan counts.
    """
    schema = work.schema
    prepaid = is_prepaid(schema)
    billed = or_(prepaid, billing_type(schema) == "usage")
    source = (
        due.join(component, component.c.id == due.c.component_id)
        .join(resource, resource.c.id == due.c.resource_id)
        .join(offering, offering.c.id == resource.c.offering_id)
        .join(period, period.c.id == due.c.plan_period_id)
        .join(plan, plan.c.id == period.c.plan_id)
    )
    component_id: ColumnElement[Any] = due.c.component_id
    amount: ColumnElement[Any] = due.c.usage
    if rules.has_prepaid_components(schema):
        excess = _excess(work, month, due)
        component_id = case((prepaid, component.c.overage_component_id), else_=component_id)
        amount = case((prepaid, excess), else_=amount)
        _warn_of_uncharged(work, select(due).select_from(source).where(is_billed_here(schema), prepaid), excess)
    passed = [c for c in due.c if c.name not in ("component_id", "usage")]
    rows = (
        select(
            *passed,
            component_id.label("component_id"),
            cast(amount, Numeric).label("usage"),
            prepaid.label("is_overage"),
        )
        .select_from(source)
        .where(is_billed_here(schema), billed, component_id.is_not(None), amount.is_not(None))
    )
    if rules.has_billing_modes(schema):
        key = (due.c.resource_id, due.c.component_id, period.c.plan_id)
        rows = rows.ext(distinct_on(*key)).order_by(*key, period.c.start.desc().nulls_last(), period.c.id.desc())
    return temporary_table(work, "charged_usage", rows)


def _excess(work: Work, month: Month, due: FromClause) -> ColumnElement[Any]:
    """The whole units that are used beyond what was bought; NULL where it is not known how much was bought."""
    bought = json_number(limit_in(resource.c.limits))
    begin, end = _window(work)
    other = usage.alias("other")
    this_one = and_(
        other.c.billing_period == month.first, other.c.plan_period_id.is_not_distinct_from(due.c.plan_period_id)
    )
    used = (
        select(func.coalesce(func.sum(other.c.usage), 0))
        .where(
            other.c.resource_id == due.c.resource_id,
            other.c.component_id == due.c.component_id,
            other.c.date >= begin,
            other.c.date < end,
            not_(this_one),
        )
        .scalar_subquery()
    )
    balance = func.greatest(func.trunc(bought - used), 0)
    return case((bought == -1, 0), (bought.is_not(None), func.greatest(func.trunc(due.c.usage) - balance, 0)))


def _window(work: Work) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """The time that what was bought is for: months, quarters or years from the resource's making, or its whole life."""
    now, created, kind = literal(work.as_of), resource.c.created, limit_period(work.schema)
    size = case((kind == "annual", 12), (kind == "quarterly", 3), else_=1)
    age = func.age(now, created)
    months = cast(extract("year", age) * 12 + extract("month", age), Integer)
    begin = created + (months - func.mod(months, size)) * MONTH
    last_day = func.timezone(work.zone.key, cast(resource.c.end_date, DateTime))
    whole_end = func.greatest(func.coalesce(last_day, now), now) + literal_column("interval '1 microsecond'", Interval)
    whole = kind == "total"
    return case((whole, created), else_=begin), case((whole, whole_end), else_=begin + size * MONTH)


def _warn_of_uncharged(work: Work, prepaid: Select[Any], excess: ColumnElement[Any]) -> None:
    """Report usage beyond what was bought that no component is there to charge, and what nobody knows the limit of."""
    lost = or_(excess.is_(None), and_(excess > 0, component.c.overage_component_id.is_(None)))
    found = (
        prepaid.with_only_columns(resource.c.name, resource.c.uuid, component.c.type, excess.label("excess"))
        .where(lost)
        .limit(WARNINGS_SHOWN)
    )
    for name, uuid, component_type, beyond in work.connection.execute(found):
        problem = f"its prepaid {component_type} has no limit that is a number; its usage is not billed"
        if beyond is not None:
            problem = f"{beyond} of {component_type} were used beyond what is prepaid, and no overage component is set"
        work.outcome.warn(f"resource {name} ({uuid.hex})", problem)
