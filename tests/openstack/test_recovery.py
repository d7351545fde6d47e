"""Rows that are sound at their cloud: what is emptied."""

from __future__ import annotations

import pytest

from tests.openstack.cloud import LoopbackCloud, serving_cloud
from tests.openstack.scenes import CloudSite, project_id, server, snapshot, volume
from tests.scene import Scene
from waldur_dagster.openstack.pull_resources import pull_tenant_resources
from waldur_dagster.schema import openstack
from waldur_dagster.services.pull import pull_service_resources

OK, ERRED = 3, 4


@pytest.mark.parametrize("state", [OK, ERRED])
def test_no_task_is_left_at_what_the_cloud_has(scene: Scene, state: int) -> None:
    site, id = CloudSite(scene), project_id(1)
    with serving_cloud(LoopbackCloud()) as cloud:
        settings = site.cloud(cloud)
        tenant = site.tenant(settings, id, name=f"name-{id}", task_id="abc")
        for table, kind in (
            (openstack.instance, "servers"),
            (openstack.volume, "volumes"),
            (openstack.snapshot, "snapshots"),
        ):
            make = {"servers": server, "volumes": volume, "snapshots": snapshot}[kind]
            cloud.data[id][kind].append(make("id-1"))
            site.add(table, tenant, settings, "id-1", state=state, task_id="abc")
        site.run(pull_tenant_resources)
        site.run(pull_service_resources, entry="pull-service-resources")
        for table in (openstack.instance, openstack.volume, openstack.snapshot, openstack.tenant):
            row = scene.one(table)
            assert (row.state, row.task_id) == (OK, None)
        assert dict(site.run(pull_tenant_resources).rows) == {}
