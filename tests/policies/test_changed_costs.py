"""Policies follow at once when what a resource has cost or used in its month changes."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import pytest
from sqlalchemy import update

from tests.dagster.runs import execute, troubles
from tests.openstack.cloud import LoopbackCloud, serving_cloud
from tests.openstack.scenes import CloudSite, project_id
from tests.policies.scenes import Place
from tests.scene import Scene
from waldur_dagster.marketplace.states import OrderState, OrderType, ResourceState
from waldur_dagster.schema import django, marketplace, policy, structure

REJECT, QUOTAS = "waldur-mastermind-reject-past-bookings", "openstack-tenant-pull-quotas"
BEGUN, NOW = "2025-03-10T09:00:00Z", datetime(2025, 3, 10, 12, tzinfo=UTC)
MONTH_END = datetime(2025, 3, 31, 23, 59, 59, 999999, tzinfo=UTC)


@pytest.mark.generation("8")
def test_a_policy_is_released_when_the_end_of_a_resource_brings_its_costs_down(scene: Scene) -> None:
    assert not _stays_fired(scene)


def test_up_to_2024_too(scene: Scene) -> None:
    assert not _stays_fired(scene)


@pytest.mark.generation("8")
def test_a_dry_run_releases_nothing(scene: Scene) -> None:
    assert _stays_fired(scene, dry_run=True)


@pytest.mark.generation("8")
def test_policies_that_cannot_be_evaluated_do_not_take_the_change_back(scene: Scene) -> None:
    place = Place.make(scene)
    seat = _billed_booking(scene, place)
    with scene.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE policy_projectestimatedcostpolicy DROP COLUMN limit_cost")
    result = execute(scene.deployment(), REJECT, dg.DagsterInstance.ephemeral(), as_of=NOW.isoformat())
    assert not result.success and "1 item failed" in troubles(result)
    assert scene.one(marketplace.resource, id=seat).state == ResourceState.TERMINATED


@pytest.mark.parametrize("site", ["2024", pytest.param("8", marks=pytest.mark.generation("8"))])
def test_a_policy_on_usage_fires_when_a_pulled_tenant_has_used_too_much(scene: Scene, site: str) -> None:
    group = scene.group()
    place, clouds = Place.make(scene, group=group), CloudSite(scene)
    kind = scene.one(django.content_type, app_label="openstack", model="tenant").id
    usage = place.on_usage("notify_organization_owners", group, {"cores": (0, 0)})
    with serving_cloud(LoopbackCloud()) as cloud:
        tenant = clouds.tenant(clouds.cloud(cloud), project_id(1))
        cloud.data[project_id(1)].clear()  # where there is a project, the tenant may log in
        with scene.engine.begin() as connection:
            connection.execute(update(marketplace.resource).values(content_type_id=kind, object_id=tenant, state=2))
        result = execute(scene.deployment(), QUOTAS, dg.DagsterInstance.ephemeral(), as_of=NOW.isoformat())
    assert result.success, troubles(result)
    assert scene.one(policy.offeringusagepolicy, id=usage).has_fired


def _stays_fired(scene: Scene, *, dry_run: bool = False) -> bool:
    """Run a job that ends a resource; the policy has fired since 32 are above the limit; 11 remain."""
    place = Place.make(scene, cost=1)
    id = place.on_project("notify_project_team", has_fired=True, limit_cost=20)
    _billed_booking(scene, place)
    instance = dg.DagsterInstance.ephemeral()
    result = execute(scene.deployment(), REJECT, instance, as_of=NOW.isoformat(), dry_run=dry_run)
    assert result.success, troubles(result)
    return bool(scene.one(policy.projectestimatedcostpolicy, id=id).has_fired)


def _billed_booking(scene: Scene, place: Place) -> int:
    """A booking that nobody accepted, of 1 a day in all of March."""
    provider = scene.rows(structure.customer)[-1].id
    offering = scene.offering(provider, type="Marketplace.Booking", billable=True)
    plan = scene.plan(offering, unit="day")
    price = scene.price(plan, scene.component(offering), 1)
    slots = [{"id": "1", "start": BEGUN, "end": BEGUN}]
    values = {"attributes": {"schedules": slots}, "state": ResourceState.CREATING}
    resource = scene.resource(place.project, offering, plan, "seat", **values)
    order = {"type": OrderType.CREATE, "state": OrderState.EXECUTING, "created_by_id": scene.user("guest@example.org")}
    scene.add(marketplace.order, resource_id=resource, offering_id=offering, project_id=place.project, **order)
    whole = {"start": datetime(2025, 3, 1, tzinfo=UTC), "end": MONTH_END, "unit": "day", "quantity": 31}
    details = {"plan_component_id": price, "offering_component_type": "cpu"}
    scene.item(place.invoice, 1, resource_id=resource, project_id=place.project, details=details, **whole)
    return resource
