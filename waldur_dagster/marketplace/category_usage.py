"""Usage of a month by category, for customers and projects (spec quotas, waldur-marketplace-calculate-usage)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Integer,
    Numeric,
    Select,
    Table,
    and_,
    cast,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
    update,
)

from waldur_dagster.platform.month import Month
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

ENTRY = "waldur-marketplace-calculate-usage"

resource, component, stored = marketplace.resource, marketplace.offeringcomponent, marketplace.categorycomponentusage
KEY = ("content_type_id", "object_id", "component_id")


def total_usage(work: Work, month: Month) -> None:
    """Write what every customer and project has used of each category component in a month.

    Reported usage is cut to a whole number after it is summed. Rows whose usage has vanished stay as they are.
    """
    by_project = temporary_table(work, "usage_by_project", _by_project(work, month))
    totals = temporary_table(work, "usage_total", _totals(work, by_project))
    # With statistics: Waldur's table has none of a month that was not there yet, and no index on its rows' key.
    there = temporary_table(work, "usage_there", _rows_of_month(month))
    _warn_of_duplicates(work, totals, there, month)
    _update(work, totals, there)
    _insert(work, totals, there, month)


def _by_project(work: Work, month: Month) -> Select[Any]:
    """(project_id, component_id, reported, fixed): sums by project and category component."""
    reported, period, priced = marketplace.componentusage, marketplace.resourceplanperiod, marketplace.plancomponent
    following = month.end + timedelta(microseconds=1)
    sources = union_all(
        _sums(reported.c.usage, cast(null(), Numeric))
        .join(reported, reported.c.resource_id == resource.c.id)
        .join(component, component.c.id == reported.c.component_id)
        .where(reported.c.date >= month.start, reported.c.date < following),
        _sums(cast(null(), Numeric), priced.c.amount)
        .join(period, period.c.resource_id == resource.c.id)
        .join(priced, priced.c.plan_id == period.c.plan_id)
        .join(component, component.c.id == priced.c.component_id)
        .where(_counts(work, month, period)),
    ).subquery("sources")
    return select(
        sources.c.project_id,
        sources.c.component_id,
        func.sum(sources.c.reported).label("reported"),
        func.sum(sources.c.fixed).label("fixed"),
    ).group_by(sources.c.project_id, sources.c.component_id)


def _sums(reported: ColumnElement[Any], fixed: ColumnElement[Any]) -> Select[Any]:
    return (
        select(
            resource.c.project_id,
            component.c.parent_id.label("component_id"),
            func.sum(reported).label("reported"),
            func.sum(fixed).label("fixed"),
        )
        .select_from(resource)
        .where(component.c.parent_id.is_not(None))
        .group_by(resource.c.project_id, component.c.parent_id)
    )


def _counts(work: Work, month: Month, period: Table) -> ColumnElement[bool]:
    """Which plan periods count for the month, with their whole amount.

    While the month runs, those that are open or end in it, as in Waldur. Once it has passed, those that it had a part
    in: a period that was closed since was open then, and one that has begun since was not there.
    """
    if work.as_of > month.end:
        begun = or_(period.c.start.is_(None), period.c.start <= month.end)
        return and_(begun, or_(period.c.end.is_(None), period.c.end >= month.start))
    return or_(period.c.end.is_(None), period.c.end.between(month.start, month.end))


def _totals(work: Work, by_project: Table) -> Select[Any]:
    """Rows of the result; removed projects count for their customer only."""
    project = structure.project
    joined = by_project.join(project, project.c.id == by_project.c.project_id)
    scopes = (("project", project.c.id, ~project.c.is_removed), ("customer", project.c.customer_id, None))
    parts = []
    for model, scope, condition in scopes:
        part = select(
            literal(work.content_types("structure", model), Integer).label("content_type_id"),
            scope.label("object_id"),
            by_project.c.component_id,
            cast(func.trunc(func.sum(by_project.c.reported)), BigInteger).label("reported_usage"),
            cast(func.sum(by_project.c.fixed), BigInteger).label("fixed_usage"),
        ).select_from(joined)
        part = part.group_by(scope, by_project.c.component_id)
        parts.append(part if condition is None else part.where(condition))
    return select(union_all(*parts).subquery("totals"))


def _rows_of_month(month: Month) -> Select[Any]:
    """The rows of the month by key: the first of each, and how many there are."""
    key = [stored.c[name] for name in KEY]
    first, number = func.min(stored.c.id).label("id"), func.count().label("number")
    return select(*key, first, number).where(stored.c.date == month.first).group_by(*key)


def _warn_of_duplicates(work: Work, totals: Table, there: Table, month: Month) -> None:
    names = {work.content_types("structure", model): model for model in ("customer", "project")}
    for row in work.connection.execute(select(there).join(totals, _same(totals, there)).where(there.c.number > 1)):
        work.outcome.warn(
            f"{names[row.content_type_id]} {row.object_id}, category component {row.component_id}, {month}",
            f"has {row.number} usage rows; the first, {row.id}, was brought up to date. Delete the others.",
        )


def _update(work: Work, totals: Table, there: Table) -> None:
    values = {name: totals.c[name] for name in ("reported_usage", "fixed_usage")}
    work.execute(
        update(stored)
        .values(values)
        .where(
            stored.c.id == there.c.id,
            _same(totals, there),
            or_(*(stored.c[name].is_distinct_from(value) for name, value in values.items())),
        )
    )


def _insert(work: Work, totals: Table, there: Table, month: Month) -> None:
    missing = select(*totals.c, literal(month.first, Date).label("date")).where(~exists().where(_same(totals, there)))
    work.execute(work.insert_from(stored, missing))


def _same(totals: Table, there: Table) -> ColumnElement[bool]:
    return and_(*(there.c[name] == totals.c[name] for name in KEY))
