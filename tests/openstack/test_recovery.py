"""Rows that are sound at their cloud: what is emptied, and what is told of it."""

from __future__ import annotations

import pytest

from tests.openstack.cloud import LoopbackCloud, serving_cloud
from tests.openstack.scenes import CloudSite, project_id, server, snapshot, volume
from tests.scene import Scene
from waldur_dagster.openstack.pull_resources import pull_tenant_resources
from waldur_dagster.openstack.pull_subresources import pull_tenant_subresources
from waldur_dagster.schema import logging, openstack
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


def test_only_what_the_cloud_has_changed_is_told_as_pulled(scene: Scene) -> None:
    """A row that is sound again, as it was, is news for nobody."""
    site, id = CloudSite(scene), project_id(1)
    with serving_cloud(LoopbackCloud()) as cloud:
        settings = site.cloud(cloud)
        tenant = site.tenant(settings, id)
        for name in ("same", "renamed"):
            facts = {"id": name, "name": name, "description": ""}
            cloud.data[id]["security-groups"].append(facts | {"security_group_rules": []})
            cloud.data[id]["networks"].append(facts | {"router:external": False, "status": "ACTIVE", "mtu": 1500})
            known = {"state": ERRED, "error_message": "boom", "name": "same"}
            site.add(openstack.securitygroup, tenant, settings, name, **known)
            site.add(openstack.network, tenant, settings, name, mtu=1500, runtime_state="ACTIVE", **known)
        site.run(pull_tenant_subresources)
    rows = [*scene.rows(openstack.securitygroup), *scene.rows(openstack.network)]
    assert {(row.state, row.error_message) for row in rows} == {(OK, "")}
    told = [(row.event_type, row.message.split()[-6]) for row in scene.rows(logging.event)]
    assert told == [("openstack_security_group_pulled", "renamed"), ("openstack_network_pulled", "renamed")]
