"""Ends of projects on newer sites: days of grace, and pauses meanwhile."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.marketplace.test_termination import run
from tests.scene import Scene
from waldur_dagster.marketplace.expiry import end_projects
from waldur_dagster.marketplace.states import OrderState, OrderType, ResourceState
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import django, logging, marketplace, policy, structure

pytestmark = pytest.mark.generation("8")
NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)
TODAY = NOON.date()
PAUSABLE = {"supports_pausing": True}


def days_ago(days: int) -> date:
    return TODAY - timedelta(days=days)


class Site:
    """An organization with a project that has ended and one resource in it."""

    def __init__(
        self, scene: Scene, ended: int, grace: int | None = None, of_customer: int | None = None, **options: Any
    ):
        self.scene = scene
        self.customer = scene.customer("Acme", grace_period_days=of_customer)
        self.project = scene.project(self.customer, "Alpha", end_date=days_ago(ended), grace_period_days=grace)
        self.offering = scene.offering(
            self.customer, type="OpenStack.Tenant", shared=True, billable=True, plugin_options=options
        )
        self.resource = scene.resource(self.project, self.offering, None, "vm")

    def end(self, at: datetime = NOON) -> Outcome:
        return run(self.scene, end_projects, at=at)

    def orders(self) -> list[Any]:
        return self.scene.rows(marketplace.order)

    def events(self) -> list[str]:
        return [event.event_type for event in self.scene.rows(logging.event)]

    def found(self) -> Any:
        return self.scene.one(marketplace.resource, id=self.resource)


@pytest.mark.parametrize(
    ("ended", "grace", "of_customer", "ends"),
    [
        (0, None, None, True),
        (0, 0, 30, True),
        (0, None, 30, False),
        (4, 5, None, False),
        (5, 5, 1, True),
        (-1, 0, 0, False),
    ],
    ids=["no grace", "own zero wins", "the organization's", "a day early", "the last day", "not ended"],
)
def test_a_project_is_over_when_its_days_of_grace_are(
    scene: Scene, ended: int, grace: int | None, of_customer: int | None, ends: bool
) -> None:
    site = Site(scene, ended, grace, of_customer)
    site.end()
    assert [order.type for order in site.orders()] == ([OrderType.TERMINATE] if ends else [])


def test_an_empty_project_is_deleted_on_the_last_day_of_grace_and_not_before(scene: Scene) -> None:
    project = scene.project(scene.customer(), end_date=days_ago(3), grace_period_days=4)
    run(scene, end_projects)
    assert not scene.one(structure.project, id=project).is_removed
    run(scene, end_projects, at=NOON + timedelta(days=1))
    assert scene.one(structure.project, id=project).is_removed


def test_days_of_grace_that_nobody_means_stop_nothing(scene: Scene) -> None:
    Site(scene, 1, 2**31 - 1)
    over = Site(scene, 1)
    over.end()
    assert [order.resource_id for order in over.orders()] == [over.resource]


@pytest.mark.parametrize(
    ("ended", "options", "state", "pauses"),
    [
        (1, PAUSABLE, ResourceState.OK, True),
        (1, PAUSABLE, ResourceState.ERRED, True),
        (5, PAUSABLE, ResourceState.OK, True),
        (0, PAUSABLE, ResourceState.OK, False),
        (1, {}, ResourceState.OK, False),
        (1, {"supports_pausing": "true"}, ResourceState.OK, False),
        (1, PAUSABLE, ResourceState.TERMINATING, False),
        (1, PAUSABLE, ResourceState.TERMINATED, False),
    ],
    ids=["first day", "erred", "last day", "end date itself", "no pausing", "a text", "terminating", "terminated"],
)
def test_resources_are_paused_while_the_project_is_in_its_days_of_grace(
    scene: Scene, ended: int, options: dict[str, Any], state: ResourceState, pauses: bool
) -> None:
    site = Site(scene, ended, 5, **options)
    whole = scene.whole(marketplace.resource)
    with scene.engine.begin() as connection:
        connection.execute(whole.update().values(state=state))
    site.end()
    assert site.found().paused is pauses
    assert ("marketplace_resource_paused" in site.events()) is pauses


def test_offerings_without_grace_end_at_once_and_are_not_paused(scene: Scene) -> None:
    site = Site(scene, 1, 5, disable_grace_period=True, **PAUSABLE)
    site.end()
    assert [order.state for order in site.orders()] == [OrderState.EXECUTING]
    assert not site.found().paused


def _tell_pauses_apart(scene: Scene) -> None:
    with scene.engine.begin() as connection:
        connection.exec_driver_sql(
            "ALTER TABLE marketplace_resource ADD COLUMN paused_by_grace_period boolean NOT NULL DEFAULT false"
        )


def _move_end(scene: Scene) -> None:
    with scene.engine.begin() as connection:
        connection.execute(scene.whole(structure.project).update().values(end_date=TODAY + timedelta(days=90)))


@pytest.mark.parametrize("kept_by", [None, "usage limit", "policy"])
def test_a_pause_for_grace_is_taken_back_when_the_end_has_moved_unless_something_else_wants_it(
    scene: Scene, kept_by: str | None
) -> None:
    _tell_pauses_apart(scene)
    site = Site(scene, 1, 5, **PAUSABLE)
    site.end()
    assert (site.found().paused, _by_grace(scene)) == (True, True)
    _move_end(scene)
    with scene.engine.begin() as connection:
        resource = scene.whole(marketplace.resource)
        if kept_by == "usage limit":
            connection.execute(resource.update().values(usage_limit_restriction="paused"))
        if kept_by == "policy":
            connection.execute(resource.update().values(attributes={"_policy_attribution": {"paused": {}}}))
    site.end()
    assert (site.found().paused, _by_grace(scene)) == (kept_by is not None, False)
    assert ("reset_pausing" in site.events()) is (kept_by is None)


@pytest.mark.parametrize("scope", ["project", "customer"])
@pytest.mark.parametrize("has_fired", [True, False])
def test_a_policy_that_has_fired_meanwhile_keeps_the_pause(scene: Scene, scope: str, has_fired: bool) -> None:
    _tell_pauses_apart(scene)
    site = Site(scene, 1, 5, **PAUSABLE)
    site.end()
    table, on = {
        "project": (policy.projectestimatedcostpolicy, site.project),
        "customer": (policy.customerestimatedcostpolicy, site.customer),
    }[scope]
    scene.add(table, scope_id=on, has_fired=has_fired, actions="request_pausing", limit_cost=1, period=3)
    _move_end(scene)
    site.end()
    assert (site.found().paused, _by_grace(scene)) == (has_fired, False)
    assert ("reset_pausing" in site.events()) is not has_fired


@pytest.mark.parametrize(
    ("told_since", "released"),
    [(None, True), ("marketplace_resource_update_succeeded", True), ("request_pausing", False)],
)
def test_a_pause_that_is_older_than_the_mark_is_taken_back_as_its_log_tells(
    scene: Scene, told_since: str | None, released: bool
) -> None:
    site = Site(scene, 1, 5, **PAUSABLE)
    site.end()
    other = scene.resource(site.project, site.offering, None, "paused by hand", paused=True)
    if told_since is not None:
        event = scene.add(logging.event, event_type=told_since, created=NOON + timedelta(hours=1), context={})
        kind = scene.one(django.content_type, model="resource").id
        scene.add(logging.feed, event_id=event, content_type_id=kind, object_id=site.resource)
    _tell_pauses_apart(scene)
    _move_end(scene)
    site.end()
    assert site.found().paused is not released
    assert scene.one(marketplace.resource, id=other).paused
    assert site.events().count("reset_pausing") == released


def test_old_pauses_in_the_days_of_grace_are_marked_once(scene: Scene) -> None:
    site = Site(scene, 1, 5, **PAUSABLE)
    site.end()
    _tell_pauses_apart(scene)
    for hours in (1, 2):
        site.end(NOON + timedelta(hours=hours))
    assert (site.found().paused, site.found().modified) == (True, NOON + timedelta(hours=1))
    assert _by_grace(scene)


def _by_grace(scene: Scene) -> bool:
    with scene.engine.connect() as connection:
        return bool(connection.exec_driver_sql("SELECT paused_by_grace_period FROM marketplace_resource").scalar())
