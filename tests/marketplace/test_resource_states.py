"""What follows when resources of the marketplace change."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event, literal, select

from tests.scene import BORN, Scene
from waldur_dagster.marketplace.resource_states import change_resources
from waldur_dagster.marketplace.states import OfferingState, ResourceState
from waldur_dagster.schema import django, logging, marketplace, structure

NOW = datetime(2025, 3, 10, 9, 30, tzinfo=UTC)
ENTRY = "structure-set-erred-stuck-resources"


@dataclass
class Shop:
    """A provider with one offering and plan, and a project that buys."""

    scene: Scene
    project: int
    offering: int
    plan: int

    def resource(self, state: int, plan: int | None = None, **values: Any) -> int:
        row: dict[str, Any] = {"name": "r", "state": state} | values
        return self.scene.resource(self.project, self.offering, plan, **row)

    def period(self, resource: int, plan: int) -> int:
        return self.scene.add(marketplace.resourceplanperiod, resource_id=resource, plan_id=plan, start=BORN)


@pytest.fixture
def shop(scene: Scene) -> Shop:
    customer = scene.customer()
    project, offering = scene.project(customer), scene.offering(customer)
    return Shop(scene, project, offering, scene.plan(offering))


def change(scene: Scene, **values: Any) -> int:
    """Give these values to all resources; returns the number of statements."""
    counted: list[int] = []
    types = marketplace.resource.c
    with scene.site() as site, site.work(ENTRY, NOW) as work:
        event.listen(work.connection, "before_cursor_execute", lambda *_: counted.append(1))
        columns = [literal(value, types[name].type).label(name) for name, value in values.items()]
        change_resources(work, select(types.id.label("resource_id"), *columns).subquery("chosen"))
    return len(counted)


def test_one_event_lists_all_changed_columns_and_an_unchanged_resource_is_left_alone(shop: Shop) -> None:
    shop.resource(ResourceState.OK)
    shop.resource(ResourceState.ERRED, name="new")
    change(shop.scene, state=ResourceState.ERRED, name="new")
    told = shop.scene.one(logging.event)
    assert told.event_type == "marketplace_resource_has_been_changed"
    assert "'state': from OK to Erred" in told.message and "'name': from r to new" in told.message
    assert told.context["resource_get_state_display"] == "Erred"
    assert told.context["resource_modified"] == "2025-03-10T09:30:00+00:00"
    changed, same = shop.scene.rows(marketplace.resource)
    assert (changed.modified, same.modified) == (NOW, BORN)


def test_columns_that_waldur_does_not_tell_are_changed_without_an_event(shop: Shop) -> None:
    shop.resource(ResourceState.OK)
    change(shop.scene, backend_metadata={"a": 1}, error_message="x")
    assert shop.scene.one(marketplace.resource).backend_metadata == {"a": 1}
    assert shop.scene.rows(logging.event) == []


def test_an_erred_resource_that_is_ok_again_loses_its_traceback_with_an_event_of_its_own(shop: Shop) -> None:
    shop.resource(ResourceState.ERRED, error_traceback="boom")
    shop.resource(ResourceState.UPDATING, error_traceback="kept")
    change(shop.scene, state=ResourceState.OK)
    assert [row.error_traceback for row in shop.scene.rows(marketplace.resource)] == ["", "kept"]
    assert len(shop.scene.rows(logging.event)) == 3


def test_creation_opens_a_plan_period_and_termination_closes_it(shop: Shop) -> None:
    shop.resource(ResourceState.CREATING, shop.plan)
    shop.resource(ResourceState.CREATING, None)
    change(shop.scene, state=ResourceState.OK)
    opened = shop.scene.one(marketplace.resourceplanperiod)
    assert (opened.start, opened.end, opened.plan_id) == (NOW, None, shop.plan)
    change(shop.scene, state=ResourceState.TERMINATED)
    assert shop.scene.one(marketplace.resourceplanperiod).end == NOW


def test_another_plan_closes_the_period_of_the_old_one_and_opens_one(shop: Shop) -> None:
    old = shop.scene.plan(shop.offering, name="Old")
    bought = shop.resource(ResourceState.OK, old)
    shop.period(bought, old)
    change(shop.scene, plan_id=shop.plan)
    closed, opened = shop.scene.rows(marketplace.resourceplanperiod)
    assert (closed.plan_id, closed.end, opened.plan_id, opened.end) == (old, NOW, shop.plan, None)


def test_component_quotas_keep_the_limits_of_components_that_are_sold_by_limit(shop: Shop) -> None:
    component = shop.scene.component(shop.offering, "cpu", "limit")
    shop.scene.component(shop.offering, "ram", "usage")
    shop.resource(ResourceState.OK, shop.plan)
    change(shop.scene, limits={"cpu": 4, "ram": 8, "unknown": 1})
    change(shop.scene, limits={"cpu": 6, "ram": "x"})
    quota = shop.scene.one(marketplace.componentquota)
    assert (quota.component_id, quota.limit, quota.usage) == (component, 6, 0)


def test_settings_of_an_archived_offering_go_off_with_its_last_resource_and_on_with_the_first(shop: Shop) -> None:
    scene = shop.scene
    settings_type = scene.add(django.content_type, app_label="structure", model="servicesettings")
    settings = scene.add(structure.servicesettings, name="S", is_active=True)
    archived = scene.offering(
        scene.customer(), state=OfferingState.ARCHIVED, content_type_id=settings_type, object_id=settings
    )
    first = scene.resource(shop.project, archived, None, state=ResourceState.TERMINATING)
    change(scene, state=ResourceState.TERMINATED)
    assert not scene.one(structure.servicesettings).is_active
    change(scene, state=ResourceState.OK)
    assert scene.one(structure.servicesettings).is_active
    scene.resource(shop.project, archived, None, state=ResourceState.OK)
    with scene.site() as site, site.work(ENTRY, NOW) as work:
        gone = select(literal(first).label("resource_id"), literal(int(ResourceState.TERMINATED)).label("state"))
        change_resources(work, gone.subquery("chosen"))
    assert scene.one(structure.servicesettings).is_active


def test_the_number_of_statements_does_not_depend_on_the_number_of_resources(shop: Shop) -> None:
    shop.resource(ResourceState.CREATING, shop.plan)
    few = change(shop.scene, state=ResourceState.OK)
    for _ in range(10):
        shop.resource(ResourceState.CREATING, shop.plan)
    assert change(shop.scene, state=ResourceState.OK) == few
    assert len(shop.scene.rows(logging.event)) == 11


def test_a_project_that_is_over_goes_with_its_last_resource(shop: Shop) -> None:
    scene = shop.scene
    scene.add(structure.project, customer_id=scene.one(structure.customer).id, name="goes on")
    with scene.engine.begin() as connection:
        connection.execute(
            structure.project.update().where(structure.project.c.id == shop.project).values(end_date=NOW.date())
        )
    shop.resource(ResourceState.TERMINATING)
    shop.resource(ResourceState.ERRED)
    change(scene, state=ResourceState.TERMINATED)
    over, other = scene.rows(structure.project)
    assert over.is_removed and not other.is_removed
    assert "project_deletion_succeeded" in [row.event_type for row in scene.rows(logging.event)]
