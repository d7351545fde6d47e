"""Usage of a month by category: sums, duplicates, months that have passed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.marketplace.category_usage import ENTRY, total_usage
from waldur_dagster.outcome import Outcome
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import marketplace

MARCH = datetime(2025, 3, 10, tzinfo=UTC)
MAY = datetime(2025, 5, 10, tzinfo=UTC)
CUSTOMER, PROJECT = 1, 2


def _sold(scene: Scene, project: int, amount: int = 16) -> dict[str, int]:
    """An offering whose one component counts for a category, and a resource; ids by name."""
    offering = scene.offering(scene.customer("Provider"))
    category = scene.one(marketplace.offering, id=offering).category_id
    parent = scene.add(marketplace.categorycomponent, category_id=category, type="ram", name="RAM")
    component, plan = scene.component(offering, "ram", parent_id=parent), scene.plan(offering)
    scene.price(plan, component, 1, amount=amount)
    resource = scene.resource(project, offering, plan)
    return {"parent": parent, "component": component, "plan": plan, "resource": resource}


def _reported(scene: Scene, sold: dict[str, int], usage: float, when: datetime = MARCH) -> None:
    scene.add(
        marketplace.componentusage,
        resource_id=sold["resource"],
        component_id=sold["component"],
        usage=usage,
        date=when,
        billing_period=when.date().replace(day=len(scene.rows(marketplace.componentusage)) + 1),
    )


def _period(scene: Scene, sold: dict[str, int], start: datetime | None, end: datetime | None) -> None:
    scene.add(marketplace.resourceplanperiod, resource_id=sold["resource"], plan_id=sold["plan"], start=start, end=end)


def _total(scene: Scene, as_of: datetime = MARCH, month: int = 3, zone: str = "UTC") -> Outcome:
    with scene.site(time_zone=zone) as site:
        with site.work(ENTRY, as_of) as work:
            total_usage(work, Month(2025, month, ZoneInfo(zone)))
        return site.outcome


def _totals(scene: Scene) -> list[tuple[Any, ...]]:
    rows = scene.rows(marketplace.categorycomponentusage)
    return sorted((r.content_type_id, r.object_id, r.date, r.reported_usage, r.fixed_usage) for r in rows)


def test_reports_are_cut_after_they_are_summed_for_customer_and_project(scene: Scene) -> None:
    customer = scene.customer()
    project, removed = scene.project(customer), scene.project(customer, is_removed=True)
    sold = _sold(scene, project)
    gone = sold | {"resource": scene.resource(removed, scene.rows(marketplace.offering)[0].id, sold["plan"])}
    _reported(scene, sold, 1.75)
    _reported(scene, gone, 1.5)
    _total(scene)
    first = date(2025, 3, 1)
    assert _totals(scene) == [(CUSTOMER, customer, first, 3, None), (PROJECT, project, first, 1, None)]
    _reported(scene, sold, 1)
    _total(scene)
    assert _totals(scene) == [(CUSTOMER, customer, first, 4, None), (PROJECT, project, first, 2, None)]


def test_a_month_is_that_of_the_sites_calendar(scene: Scene) -> None:
    sold = _sold(scene, scene.project(scene.customer()))
    _reported(scene, sold, 5, datetime(2025, 2, 28, 22, 30, tzinfo=UTC))
    _total(scene)
    assert _totals(scene) == []
    _total(scene, zone="Europe/Tallinn")
    assert [row[3] for row in _totals(scene)] == [5, 5]


def test_of_two_rows_the_first_is_brought_up_to_date_and_everything_else_is_done(scene: Scene) -> None:
    customer = scene.customer()
    sold = _sold(scene, scene.project(customer))
    _reported(scene, sold, 8)
    key = {"content_type_id": CUSTOMER, "object_id": customer, "component_id": sold["parent"]}
    first, second = (
        scene.add(marketplace.categorycomponentusage, date=date(2025, 3, 1), reported_usage=1, **key) for _ in range(2)
    )
    outcome = _total(scene)
    usage = {row.id: row.reported_usage for row in scene.rows(marketplace.categorycomponentusage)}
    assert (usage.pop(first), usage.pop(second), list(usage.values())) == (8, 1, [8])
    (warning,) = outcome.warnings
    assert f"customer {customer}" in warning.item and f"the first, {first}," in warning.problem


def test_while_a_month_runs_open_periods_and_those_that_end_in_it_count_whole(scene: Scene) -> None:
    sold = _sold(scene, scene.project(scene.customer()))
    _period(scene, sold, datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 4, 10, tzinfo=UTC))  # ends later: not
    _period(scene, sold, datetime(2025, 4, 2, tzinfo=UTC), None)  # begins later, open: counts
    _period(scene, sold, None, datetime(2025, 3, 2, tzinfo=UTC))
    _total(scene)
    assert {row[4] for row in _totals(scene)} == {32}


def test_a_month_that_has_passed_counts_the_periods_that_it_had_a_part_in(scene: Scene) -> None:
    sold = _sold(scene, scene.project(scene.customer()))
    _period(scene, sold, datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 4, 10, tzinfo=UTC))  # was open then
    _period(scene, sold, datetime(2025, 4, 2, tzinfo=UTC), None)  # was not there
    _period(scene, sold, datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 2, 2, tzinfo=UTC))  # had ended
    _total(scene, MAY)
    assert {(row[2], row[4]) for row in _totals(scene)} == {(date(2025, 3, 1), 16)}


def test_the_number_of_statements_does_not_grow_with_the_site(scene: Scene) -> None:
    def statements(projects: int) -> int:
        for _ in range(projects):
            sold = _sold(scene, scene.project(scene.customer()))
            _period(scene, sold, None, None)
        with scene.site() as site, site.work(ENTRY, MARCH) as work:
            work.content_types, work.schema.tables  # noqa: B018
            with counted(work.connection) as sent:
                total_usage(work, Month(2025, 3, ZoneInfo("UTC")))
        return len(sent)

    assert statements(2) == statements(20)
