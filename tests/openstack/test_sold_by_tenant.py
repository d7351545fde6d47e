"""What the marketplace sells of a tenant: the month's usage."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.openstack.cloud import LoopbackCloud, serving_cloud
from tests.openstack.scenes import NOW, CloudSite, project_id
from tests.scene import Scene
from waldur_dagster.openstack.quotas import pull_quotas
from waldur_dagster.schema import django, marketplace, structure


def content_type(scene: Scene, model: str, app: str = "openstack") -> int:
    return int(scene.one(django.content_type, app_label=app, model=model).id)


def sold(site: CloudSite, settings: int, **values: Any) -> int:
    kind = content_type(site.scene, "servicesettings", "structure")
    customer = site.scene.rows(structure.customer)[0].id
    return site.scene.offering(customer, type="OpenStack.Tenant", content_type_id=kind, object_id=settings, **values)


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
