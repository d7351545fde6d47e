"""What becomes of usage that remotes report (spec remote 7, OURS)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import uuid4

from sqlalchemy import DateTime, Integer, Numeric, Row, Select, String, any_, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from waldur_dagster.billing.usage_reports import repetition
from waldur_dagster.invoices import rules
from waldur_dagster.invoices.reported_usage import bill_reported_usage
from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.platform.expressions import given_ids, given_rows
from waldur_dagster.platform.month import Month
from waldur_dagster.policies import Affected, evaluate_policies
from waldur_dagster.remote.remotes import Resource
from waldur_dagster.remote.usage_documents import Reports, Usage
from waldur_dagster.remote.user_usage import keep_user_usage
from waldur_dagster.schema import marketplace
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

resource, component = marketplace.resource, marketplace.offeringcomponent
period, usage = marketplace.resourceplanperiod, marketplace.componentusage
LONGEST = 2000  # characters of a description
CENT = Decimal("0.01")
HAS_PERIODS = (ResourceState.OK, ResourceState.UPDATING)


@dataclass
class Group:
    """The usages of one listing that are one row here; what they say otherwise is said by the last of them."""

    resource_id: int
    component_id: int
    plan_period_id: int | None
    billing_period: date
    type: str
    usages: list[Usage] = field(default_factory=list)

    @property
    def key(self) -> tuple[Any, ...]:
        return self.resource_id, self.component_id, self.plan_period_id, self.billing_period

    @property
    def amount(self) -> Decimal:
        return sum((one.usage for one in self.usages), Decimal(0)).quantize(CENT, ROUND_HALF_UP)

    def values(self, repeats: Any) -> dict[str, Any]:
        """The columns of the row that a pull owns."""
        last = self.usages[-1]
        return {
            "usage": self.amount,
            "description": last.description[:LONGEST],
            "created": last.created or last.date,
            "date": last.date,
            "backend_id": last.uuid,
            repeats.column.name: repeats.yes if last.repeats else repeats.no,
        }


def keep_reports(work: Work, pulled: Sequence[tuple[Resource, Reports]]) -> None:
    """Make the usage of these resources what their remotes report, and have billed and judged what has changed.

    Usage of components that the offering lacks, and from before the resource was made here, is left out and counted.
    Sites that bill every offering are billed in the month that the usage is of, as long as its invoice is open; that
    of months that are still to come waits for them.
    """
    groups = _grouped(work, pulled)
    written = _write(work, groups)
    latest = sorted(groups, key=lambda group: max(one.date for one in group.usages))
    rows = {(group.resource_id, group.billing_period, group.type): group.key for group in latest}
    keep_user_usage(work, pulled, rows)
    if written:
        _follow(work, written)


def _grouped(work: Work, pulled: Sequence[tuple[Resource, Reports]]) -> list[Group]:
    site = _SiteFacts(work, [one.id for one, _ in pulled])
    accepted = _accepted(work, site, pulled)
    site.make_periods(work, [(facts, report.date) for facts, _, report in accepted])
    groups: dict[tuple[Any, ...], Group] = {}
    for facts, component_id, report in accepted:
        plan_period = site.plan_period(facts, report.date)
        group = Group(facts.id, component_id, plan_period, report.billing_period, report.type)
        groups.setdefault(group.key, group).usages.append(report)
    return list(groups.values())


def _accepted(
    work: Work, site: _SiteFacts, pulled: Sequence[tuple[Resource, Reports]]
) -> list[tuple[Row[Any], int, Usage]]:
    """What is kept of the reports, with the facts of the resource and the id of the component."""
    running = Month.of(work.as_of, work.zone).first
    bills = rules.has_one_billing_service(work.schema)
    skipped = work.outcome.figures
    accepted = []
    for one, reports in pulled:
        facts = site.resources.get(one.id)
        if facts is None:  # deleted while it was asked for
            continue
        for report in reports.usages:
            component_id = site.components.get((facts.offering_id, report.type))
            if component_id is None:
                skipped["usages of unknown components"] += 1
            elif report.date < facts.created:
                skipped["usages from before their resource"] += 1
            elif bills and report.billing_period > running:
                skipped["usages of months to come"] += 1
            else:
                accepted.append((facts, component_id, report))
    return accepted


class _SiteFacts:
    """What the site knows of some resources."""

    def __init__(self, work: Work, ids: Sequence[int]):
        chosen = resource.c.id == any_(literal(list(ids), ARRAY(Integer)))
        self.resources = {
            row.id: row
            for row in work.connection.execute(
                select(*(resource.c[name] for name in ("id", "created", "state", "plan_id", "offering_id"))).where(
                    chosen
                )
            )
        }
        offerings = {row.offering_id for row in self.resources.values()}
        self.components = {
            (row.offering_id, row.type): row.id
            for row in work.connection.execute(
                select(component.c.offering_id, component.c.type, component.c.id).where(
                    component.c.offering_id.in_(sorted(offerings))
                )
            )
        }
        self._periods: dict[int, list[_Period]] = defaultdict(list)
        for row in work.connection.execute(
            select(period.c.id, period.c.resource_id, period.c.start, period.c.end)
            .where(period.c.resource_id == any_(literal(list(ids), ARRAY(Integer))))
            .order_by(period.c.start.desc().nulls_first(), period.c.id.desc())
        ):
            self._periods[row.resource_id].append(_Period(row.id, row.start, row.end))

    def plan_period(self, facts: Row[Any], at: datetime) -> int | None:
        """The latest begun time of a plan that an instant falls into."""
        return next((one.id for one in self._periods[facts.id] if one.holds(at)), None)

    def make_periods(self, work: Work, used: Sequence[tuple[Row[Any], datetime]]) -> None:
        """Newer versions make a time of the plan for usage that falls into none, else nobody would be billed for it.

        It begins with the resource and does not end, but for the times that there are: it touches them, and never
        overlaps one.
        """
        if not rules.has_usage_policies(work.schema):
            return
        made: list[tuple[Row[Any], _Period]] = []
        for facts, at in used:
            own = self._periods[facts.id]
            if facts.plan_id is not None and facts.state in HAS_PERIODS and not any(one.holds(at) for one in own):
                start = max((one.end for one in own if one.end is not None and one.end <= at), default=facts.created)
                end = min((one.start for one in own if one.start is not None and one.start > at), default=None)
                own.append(_Period(0, max(start, facts.created), end))
                made.append((facts, own[-1]))
        _insert_periods(work, made)


@dataclass
class _Period:
    """A time in which a resource has a plan."""

    id: int
    start: datetime | None
    end: datetime | None

    def holds(self, at: datetime) -> bool:
        return (self.start is None or self.start <= at) and (self.end is None or self.end > at)


def _insert_periods(work: Work, made: Sequence[tuple[Row[Any], _Period]]) -> None:
    """Give new times of plans their rows, and their ids."""
    if not made:
        return
    rows = [
        {"uuid": uuid4(), "resource_id": facts.id, "plan_id": facts.plan_id, "start": one.start, "end": one.end}
        for facts, one in made
    ]
    types = {name: period.c[name].type for name in ("uuid", "resource_id", "plan_id", "start", "end")}
    values = select(given_rows(rows, **types))
    statement = work.insert_from(period, values).returning(period.c.id, period.c.uuid)
    ids = {row.uuid: row.id for row in work.execute(statement)}
    for row, (_, one) in zip(rows, made, strict=True):
        one.id = ids[row["uuid"]]


def _write(work: Work, groups: Sequence[Group]) -> list[Group]:
    """Returns the groups whose amount, or whose time of a plan, is another one than before."""
    if not groups:
        return []
    repeats = repetition(work.schema)
    known = _known(work, groups, repeats.column)
    by_key = {(row.resource_id, row.component_id, row.plan_period_id, row.billing_period): row for row in known}
    loose = {(row.resource_id, row.component_id, row.billing_period, row.backend_id): row for row in known}
    keys = {group.key for group in groups}
    new, changed, amounts = list[dict[str, Any]](), list[dict[str, Any]](), list[Group]()
    for group in groups:
        values = group.values(repeats) | {"plan_period_id": group.plan_period_id}
        row = by_key.get(group.key) or _moved(group, loose, keys)
        if row is None:
            new.append(_new_row(group, values))
            amounts.append(group)
        elif any(getattr(row, name) != value for name, value in values.items()):
            changed.append({"id": row.id} | values)
            if (row.usage, row.plan_period_id) != (values["usage"], values["plan_period_id"]):
                amounts.append(group)
    _update(work, changed, repeats.column)
    if new:
        statement = work.schema.insert_values(usage, set(new[0]), work.as_of)
        work.execute(statement.on_conflict_do_nothing(), new)  # what came in between is changed by the next run
    return amounts


def _known(work: Work, groups: Sequence[Group], repeats: Any) -> Sequence[Row[Any]]:
    names = ("id", "resource_id", "component_id", "plan_period_id", "billing_period")
    owned = ("usage", "description", "created", "date", "backend_id", repeats.name)
    ids = sorted({group.resource_id for group in groups})
    return work.connection.execute(
        select(*(usage.c[name] for name in (*names, *owned)))
        .where(
            usage.c.resource_id == any_(literal(ids, ARRAY(Integer))),
            usage.c.billing_period >= min(group.billing_period for group in groups),
        )
        .order_by(usage.c.id)
        .with_for_update(of=usage)
    ).all()


def _moved(group: Group, loose: dict[tuple[Any, ...], Row[Any]], keys: set[tuple[Any, ...]]) -> Row[Any] | None:
    """A row of the same usage that was pulled before the time of its plan was known; no other group's row."""
    for one in group.usages:
        row = loose.get((group.resource_id, group.component_id, group.billing_period, one.uuid))
        if row is not None:
            own = (row.resource_id, row.component_id, row.plan_period_id, row.billing_period)
            if own not in keys:
                del loose[group.resource_id, group.component_id, group.billing_period, one.uuid]
                return row
    return None


def _new_row(group: Group, values: dict[str, Any]) -> dict[str, Any]:
    return values | {
        "uuid": uuid4(),
        "modified": values["created"],
        "resource_id": group.resource_id,
        "component_id": group.component_id,
        "billing_period": group.billing_period,
        "modified_by_id": None,
    }


def _update(work: Work, changed: Sequence[dict[str, Any]], repeats: Any) -> None:
    if not changed:
        return
    types = {"id": Integer, "usage": Numeric, "description": String, "backend_id": String, "plan_period_id": Integer}
    times = {name: DateTime(timezone=True) for name in ("created", "date")}
    rows = given_rows(changed, **types, **times, **{repeats.name: repeats.type})
    values = {name: rows.c[name] for name in changed[0] if name != "id"}
    work.execute(update(usage).values(values | {"modified": work.as_of}).where(usage.c.id == rows.c.id))


def _follow(work: Work, written: Sequence[Group]) -> None:
    """Bill what has changed, where the site bills remote resources by usage, and evaluate the policies."""
    ids = sorted({group.resource_id for group in written})
    metered = select(resource.c.offering_id).where(resource.c.id == any_(literal(ids, ARRAY(Integer))))
    affected = Affected(metered_offerings=metered)
    if rules.has_one_billing_service(work.schema):
        affected = replace(affected, **_bill(work, written))
    evaluate_policies(work, affected)


def _bill(work: Work, written: Sequence[Group]) -> dict[str, Select[Any]]:
    """Whose costs have changed."""
    by_month: dict[date, list[dict[str, Any]]] = defaultdict(list)
    for group in written:
        if group.plan_period_id is None:
            work.outcome.figures["usages outside the time of any plan, which nobody is billed for"] += 1
        else:
            names = ("resource_id", "component_id", "plan_period_id")
            row = {name: getattr(group, name) for name in names}
            by_month[group.billing_period].append(row | {"usage": group.amount})
    types = {"resource_id": Integer, "component_id": Integer, "plan_period_id": Integer, "usage": Numeric}
    touched: dict[str, set[int]] = {"project_id": set(), "customer_id": set(), "offering_id": set()}
    for first, rows in sorted(by_month.items()):
        changed = temporary_table(work, "changed_usage", select(given_rows(rows, **types)))
        billed = bill_reported_usage(work, changed, Month(first.year, first.month, work.zone))
        for costs in work.connection.execute(select(*(billed.c[name] for name in touched)).distinct()).mappings():
            for name, found in touched.items():
                found.add(costs[name])
    return {f"{name.removesuffix('_id')}s": given_ids(found) for name, found in touched.items()}
