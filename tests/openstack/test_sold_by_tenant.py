"""What the marketplace sells of a tenant: components of volume types, and the month's usage."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.openstack.cloud import LoopbackCloud, serving_cloud
from tests.openstack.scenes import NOW, CloudSite, project_id
from tests.scene import Scene
from waldur_dagster.openstack.pull_properties import pull_tenant_properties
from waldur_dagster.openstack.quotas import pull_quotas
from waldur_dagster.schema import django, logging, marketplace, openstack, structure


def content_type(scene: Scene, model: str, app: str = "openstack") -> int:
    return int(scene.one(django.content_type, app_label=app, model=model).id)


def sold(site: CloudSite, settings: int, **values: Any) -> int:
    kind = content_type(site.scene, "servicesettings", "structure")
    customer = site.scene.rows(structure.customer)[0].id
    return site.scene.offering(customer, type="OpenStack.Tenant", content_type_id=kind, object_id=settings, **values)


def test_a_component_of_a_volume_type_is_sold_by_limit(scene: Scene) -> None:
    """Whatever somebody has made of it: the sizes that are billed are limits in GB."""
    site, id = CloudSite(scene), project_id(1)
    with serving_cloud(LoopbackCloud()) as cloud:
        settings = site.cloud(cloud)
        site.tenant(settings, id)
        offering = sold(site, settings, plugin_options={"storage_mode": "dynamic"})
        kind = scene.add(openstack.volumetype, settings_id=settings, backend_id="t1", name="ssd", description="")
        own = {"content_type_id": content_type(scene, "volumetype"), "object_id": kind, "name": "Storage (ssd)"}
        own |= {"measured_unit": "MB", "limit_period": "annual"}
        scene.component(offering, "gigabytes_ssd", "usage", **own)
        cloud.data[id]["volume_types"].append({"id": "t1", "name": "ssd", "description": ""})
        site.run(pull_tenant_properties)
        row = scene.one(marketplace.offeringcomponent)
        assert (row.measured_unit, row.billing_type, row.limit_period) == ("GB", "limit", "month")
        assert [event.event_type for event in scene.rows(logging.event)] == ["marketplace_offering_component_updated"]
        site.run(pull_tenant_properties)
    assert len(scene.rows(logging.event)) == 1


def test_the_months_usage_is_that_of_the_period_that_holds_today(scene: Scene) -> None:
    """Also when it is of another plan than the resource's own; of two the one that began last."""
    site, id = CloudSite(scene), project_id(1)
    with serving_cloud(LoopbackCloud()) as cloud:
        cloud.data[id]["servers"] = []
        settings = site.cloud(cloud)
        tenant = site.tenant(settings, id)
        offering = sold(site, settings)
        own, other = scene.plan(offering, "own"), scene.plan(offering, "other")
        scene.component(offering, type="cores", billing_type="limit")
        kind = content_type(scene, "tenant")
        resource = scene.resource(site.project, offering, own, content_type_id=kind, object_id=tenant)
        periods = [
            scene.add(marketplace.resourceplanperiod, resource_id=resource, plan_id=plan, start=start, end=end)
            for plan, start, end in (
                (own, NOW - timedelta(days=9), NOW - timedelta(days=5)),
                (other, NOW - timedelta(days=3), None),
                (other, NOW - timedelta(days=5), None),
                (own, NOW + timedelta(days=1), None),
            )
        ]
        site.run(pull_quotas)
    assert scene.one(marketplace.componentusage).plan_period_id == periods[1]
