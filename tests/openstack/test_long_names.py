"""Names that are longer than the marketplace's columns: they are cut, and stop nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.openstack.cloud import LoopbackCloud, serving_cloud
from tests.openstack.scenes import NOW, CloudSite, project_id, server, volume
from tests.scene import Scene
from waldur_dagster.openstack.instance_metadata import refresh_instance_metadata
from waldur_dagster.openstack.lost_resources import create_lost_resources
from waldur_dagster.openstack.pull_resources import pull_tenant_resources
from waldur_dagster.schema import django, marketplace, openstack, structure
from waldur_dagster.services.pull import pull_service_resources

LOST = "marketplace-openstack.create-resources-for-lost-instances-and-volumes"
REFRESH = "marketplace-openstack.refresh-instance-backend-metadata"
LONG, CUT = "n" * 200, "n" * 150


def content_type(scene: Scene, model: str) -> int:
    return int(scene.one(django.content_type, app_label="openstack", model=model).id)


def sold(site: CloudSite, tenant: int, type: str) -> int:
    """The offering of a tenant's machines, or of its disks."""
    customer = site.scene.rows(structure.customer)[0].id
    kind = content_type(site.scene, "tenant")
    return site.scene.offering(customer, type=type, content_type_id=kind, object_id=tenant)


def do(scene: Scene, entry: str, job: Any) -> None:
    with scene.site() as site, site.transactions(entry, NOW)() as work:
        job(work)


@pytest.mark.generation("8")
def test_lost_machines_and_disks_get_resources(scene: Scene) -> None:
    site = CloudSite(scene)
    settings = site.cloud(LoopbackCloud())
    tenant = site.tenant(settings, project_id(1))
    for table, type in ((openstack.instance, "OpenStack.Instance"), (openstack.volume, "OpenStack.Volume")):
        sold(site, tenant, type)
        site.add(table, tenant, settings, f"long-{type}", name=LONG)
        site.add(table, tenant, settings, f"short-{type}", name="short")
    do(scene, LOST, create_lost_resources)
    assert sorted(row.name for row in scene.rows(marketplace.resource)) == [CUT, CUT, "short", "short"]


@pytest.mark.generation("8")
def test_resources_are_renewed(scene: Scene) -> None:
    site = CloudSite(scene)
    settings = site.cloud(LoopbackCloud())
    tenant = site.tenant(settings, project_id(1))
    offering = sold(site, tenant, "OpenStack.Instance")
    for name in (LONG, "short"):
        id = site.add(openstack.instance, tenant, settings, name[:10], name=name)
        kind = content_type(scene, "instance")
        scene.resource(site.project, offering, None, name="old", content_type_id=kind, object_id=id)
    do(scene, REFRESH, refresh_instance_metadata)
    assert [row.name for row in scene.rows(marketplace.resource)] == [CUT, "short"]


@pytest.mark.parametrize(("generation", "kept"), [("2024-10", (150, 150)), ("8", (200, 255))])
def test_disks_keep_as_much_of_their_names_as_the_site_can_hold(scene: Scene, generation: str, kept: Any) -> None:
    site, id = CloudSite(scene), project_id(1)
    with serving_cloud(LoopbackCloud()) as cloud:
        settings = site.cloud(cloud)
        tenant = site.tenant(settings, id)
        site.add(openstack.volume, tenant, settings, "v-1", name="old")
        image = {"image_id": "i-1", "image_name": "i" * 300}
        cloud.data[id]["volumes"].append(volume("v-1", name=LONG, volume_image_metadata=image))
        cloud.data[id]["servers"].append(server("id-1"))
        outcome = site.run(pull_tenant_resources)
    row = scene.one(openstack.volume)
    assert outcome.failures == []
    assert (len(row.name), len(row.image_name)) == kept


def test_a_tenant_with_a_long_name_is_offered_under_what_fits(scene: Scene) -> None:
    site = CloudSite(scene)
    with serving_cloud(LoopbackCloud()) as cloud:
        project = project_id(1)
        cloud.data[project]["servers"] = []
        tenant = site.tenant(site.cloud(cloud), project)
        sold(site, tenant, "OpenStack.Instance")
        own = cloud._part
        cloud._part = lambda found, query: [  # type: ignore[method-assign]
            document | {"name": "n" * 140} if document["id"] == project else document for document in own(found, query)
        ]
        outcome = site.run(pull_service_resources, entry="pull-service-resources")
    assert outcome.failures == []
    assert scene.one(openstack.tenant).name == "n" * 140
    assert scene.one(marketplace.offering).name == f"Virtual machine in {'n' * 140}"[:150]
