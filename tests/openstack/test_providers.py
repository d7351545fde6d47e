"""pull-service-*: which providers are visited, and what becomes of tenants that are gone from their cloud."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.openstack.cloud import LoopbackCloud, serving_cloud
from tests.openstack.scenes import CloudSite, project_id
from tests.scene import Scene
from waldur_dagster.marketplace.states import OfferingState, OrderState, OrderType, ResourceState
from waldur_dagster.schema import django, marketplace, openstack, quotas, structure
from waldur_dagster.services.pull import pull_service_properties, pull_service_resources

PROPERTIES, RESOURCES = "pull-service-properties", "pull-service-resources"
OK, ERRED = 3, 4


def sold(site: CloudSite, settings: int, **values: Any) -> int:
    """An offering of a provider."""
    scene = site.scene
    kind = scene.one(django.content_type, app_label="structure", model="servicesettings").id
    customer = scene.rows(structure.customer)[0].id
    row = {"content_type_id": kind, "object_id": settings, "state": OfferingState.ACTIVE}
    return scene.offering(customer, type="OpenStack.Tenant", **(row | values))


@pytest.mark.generation("8")
def test_newer_waldur_visits_only_providers_that_sell_something(scene: Scene) -> None:
    site = CloudSite(scene)
    with serving_cloud(LoopbackCloud()) as cloud:
        selling, archived, idle = (site.cloud(cloud, name) for name in ("selling", "archived", "idle"))
        sold(site, selling)
        sold(site, archived, state=OfferingState.ARCHIVED)
        site.run(pull_service_properties, entry=PROPERTIES)
    assert {row.object_id for row in scene.rows(quotas.quotalimit)} == {selling}
    assert idle not in {row.object_id for row in scene.rows(quotas.quotalimit)}


def test_older_waldur_visits_all(scene: Scene) -> None:
    site = CloudSite(scene)
    with serving_cloud(LoopbackCloud()) as cloud:
        all_of_them = {site.cloud(cloud, name) for name in ("one", "two")}
        site.run(pull_service_properties, entry=PROPERTIES)
    assert {row.object_id for row in scene.rows(quotas.quotalimit)} == all_of_them


@pytest.mark.parametrize(
    ("generation", "state"),
    [
        ("2024-10", OrderState.PENDING_PROVIDER),
        ("8", OrderState.PENDING_PROVIDER),
        ("8", OrderState.PENDING_START_DATE),
    ],
)
def test_a_tenant_that_is_gone_ends_what_is_paid_for_it(scene: Scene, generation: str, state: OrderState) -> None:
    """Newer Waldur also notes when an order was cancelled, and has orders that wait for their start date."""
    site = CloudSite(scene)
    with serving_cloud(LoopbackCloud()) as cloud:
        cloud.data[project_id(1)]["servers"] = []
        settings = site.cloud(cloud)
        kept, gone = site.tenant(settings, project_id(1)), site.tenant(settings, project_id(2))
        offering = sold(site, settings)
        kind = scene.one(django.content_type, app_label="openstack", model="tenant").id
        resource = scene.resource(site.project, offering, None, content_type_id=kind, object_id=gone)
        waiting = scene.add(
            marketplace.order,
            resource_id=resource,
            offering_id=offering,
            project_id=site.project,
            type=OrderType.UPDATE,
            state=state,
            created_by_id=scene.user("u@example.org"),
            limits={},
        )
        site.run(pull_service_resources, entry=RESOURCES)
    assert scene.one(openstack.tenant, id=kept).state == OK
    assert scene.one(openstack.tenant, id=gone).state == ERRED
    order = scene.one(marketplace.order, id=waiting)
    assert (order.state, order.termination_comment) == (OrderState.CANCELED, "Does not exist in backend.")
    if generation == "8":
        assert order.completed_at is not None
    (termination,) = scene.rows(marketplace.order, type=OrderType.TERMINATE)
    assert (termination.resource_id, termination.state) == (resource, OrderState.EXECUTING)
    assert scene.one(marketplace.resource, id=resource).state == ResourceState.ERRED


def test_a_provider_of_a_type_that_nobody_knows_is_left_alone(scene: Scene) -> None:
    scene.add(
        structure.servicesettings, name="far", type="Nirvana", state=ERRED, is_active=True, options=json.dumps({})
    )
    outcome = CloudSite(scene).run(pull_service_properties, entry=PROPERTIES)
    assert not outcome.warnings and not outcome.failures
    assert scene.one(structure.servicesettings).state == ERRED
