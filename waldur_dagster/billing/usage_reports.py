"""Writing reported usage, with everything that follows from it (spec marketplace, script-pull; invoices 1.6)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Date, FromClause, Select, and_, case, exists, func, literal, select, update

from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.invoices import rules
from waldur_dagster.invoices.reported_usage import bill_reported_usage
from waldur_dagster.platform.month import Month
from waldur_dagster.policies import Affected, evaluate_policies
from waldur_dagster.schema import marketplace
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

usage, resource = marketplace.componentusage, marketplace.resource
KEY = ("resource_id", "component_id", "plan_period_id")


@dataclass(frozen=True)
class Repetition:
    """Where a report says whether its usage holds for the next month too, with the words for yes and no."""

    column: Column[Any]
    yes: Any
    no: Any


def repetition(schema: SiteSchema) -> Repetition:
    """A flag, or in newer versions a policy for months without a report (spec newer_billing 0)."""
    if rules.has_usage_policies(schema):
        return Repetition(usage.c.missing_usage_policy, "reuse", "none")
    return Repetition(usage.c.recurring, True, False)


def report_usage(work: Work, source: Select[Any]) -> None:
    """Write the usage of the running month, bill it, and evaluate the policies on what has changed.

    ``source``: resource_id, component_id, plan_period_id, usage, description, recurring, modified_by_id; one row for
    each resource, component and plan period, none of them NULL. An earlier report of this month gets the new values,
    and no other one of the same component repeats itself any more. Statements: constant, as long as no policy fires.
    """
    first_day = literal(Month.of(work.as_of, work.zone).first, Date)
    reported = temporary_table(work, "reported_usage", source)
    known = and_(*(usage.c[name] == reported.c[name] for name in KEY), usage.c.billing_period == first_day)
    changed = temporary_table(
        work,
        "changed_usage",
        select(*(reported.c[name] for name in (*KEY, "usage")))
        .select_from(reported.outerjoin(usage, known))
        .where(usage.c.usage.is_distinct_from(reported.c.usage)),
    )
    repeats = repetition(work.schema)
    work.execute(
        update(usage)
        .values({repeats.column: repeats.no})
        .where(
            usage.c.resource_id == reported.c.resource_id,
            usage.c.component_id == reported.c.component_id,
            usage.c.billing_period == first_day,
            repeats.column != repeats.no,
        )
    )
    _write(work, reported, first_day)
    _bill(work, changed, reported)


def report_highest_usage(work: Work, source: Select[Any]) -> None:
    """Keep the highest usage of the running month, bill it, and evaluate the policies on what has changed.

    ``source``: resource_id, component_id, plan_period_id (or NULL), usage, is_billed; one row for each resource and
    component. An earlier report of the month keeps its words and is higher or stays; it was ``modified`` just now in
    either case, as Waldur saves it. Usage of no plan is not billed. Statements: constant, as long as no policy fires.
    """
    first_day = literal(Month.of(work.as_of, work.zone).first, Date)
    seen = temporary_table(work, "highest_usage", source)
    known = and_(
        *(usage.c[name] == seen.c[name] for name in ("resource_id", "component_id")),
        usage.c.plan_period_id.is_not_distinct_from(seen.c.plan_period_id),
        usage.c.billing_period == first_day,
    )
    changed = temporary_table(
        work,
        "changed_usage",
        select(*(seen.c[name] for name in (*KEY, "usage", "is_billed")), usage.c.id.label("usage_id"))
        .select_from(seen.outerjoin(usage, known))
        .where(usage.c.id.is_(None) | (usage.c.usage < seen.c.usage)),
    )
    highest = func.greatest(usage.c.usage, seen.c.usage)
    work.execute(update(usage).values(usage=highest, modified=literal(work.as_of)).where(known))
    repeats = repetition(work.schema)
    rows = _rows(work, changed, first_day, date=midnight(work.as_of)).add_columns(
        literal("").label("description"), literal(repeats.no).label(repeats.column.name)
    )
    work.execute(work.insert_from(usage, rows.where(changed.c.usage_id.is_(None))))
    _bill(work, select(changed).where(changed.c.is_billed).subquery("billable"), seen)


def midnight(at: datetime) -> datetime:
    """The beginning of a day in UTC, from which Waldur counts usage that plugins report."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _bill(work: Work, changed: FromClause, reported: FromClause) -> None:
    """Bill what has changed, and evaluate the policies on it."""
    metered = select(resource.c.offering_id).join_from(reported, resource, resource.c.id == reported.c.resource_id)
    affected = Affected(metered_offerings=metered)
    if work.connection.scalar(select(exists().select_from(changed))):  # mostly a report says what the last one said
        billed = bill_reported_usage(work, changed)
        affected = replace(
            affected,
            projects=select(billed.c.project_id),
            customers=select(billed.c.customer_id),
            offerings=select(billed.c.offering_id),
        )
    evaluate_policies(work, affected)


def _write(work: Work, reported: FromClause, first_day: Any) -> None:
    repeats = repetition(work.schema)
    rows = _rows(work, reported, first_day, date=work.as_of).add_columns(
        reported.c.description,
        reported.c.modified_by_id,
        case((reported.c.recurring, repeats.yes), else_=repeats.no).label(repeats.column.name),
    )
    statement = work.insert_from(usage, rows)
    new = ("usage", "date", "description", repeats.column.name, "modified_by_id", "modified")
    work.execute(
        statement.on_conflict_do_update(
            index_elements=[*(usage.c[name] for name in KEY), usage.c.billing_period],
            set_={name: statement.excluded[name] for name in new},
        )
    )


def _rows(work: Work, reported: FromClause, first_day: Any, *, date: datetime) -> Select[Any]:
    """The columns that new rows of usage have, whoever reports it."""
    return select(
        func.gen_random_uuid().label("uuid"),
        literal(work.as_of).label("created"),
        literal(work.as_of).label("modified"),
        literal(date).label("date"),
        first_day.label("billing_period"),
        literal("").label("backend_id"),
        *(reported.c[name] for name in (*KEY, "usage")),
    )
