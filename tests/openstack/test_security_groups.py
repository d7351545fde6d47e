"""The security groups of servers: those of their ports, from one list for all servers of a tenant."""

from __future__ import annotations

from collections import Counter

from tests.openstack.cloud import LoopbackCloud, serving_cloud
from tests.openstack.scenes import CloudSite, port, project_id, server
from tests.scene import Scene
from waldur_dagster.openstack.pull_resources import pull_tenant_resources
from waldur_dagster.schema import openstack

ASKED_ALONE = "GET /nova/v2.1/servers/*/os-security-groups"


def links(scene: Scene) -> set[tuple[str, str]]:
    names = {row.id: row.backend_id for row in scene.rows(openstack.instance)}
    groups = {row.id: row.backend_id for row in scene.rows(openstack.securitygroup)}
    rows = scene.rows(openstack.instance_security_groups)
    assert len(rows) == len({tuple(row) for row in rows})
    return {(names[row.instance_id], groups[row.securitygroup_id]) for row in rows}


def test_groups_of_servers_are_those_of_their_ports(scene: Scene) -> None:
    site, id = CloudSite(scene), project_id(1)
    with serving_cloud(LoopbackCloud(page=2)) as cloud:
        settings = site.cloud(cloud)
        tenant = site.tenant(settings, id)
        for name in ("id-one", "id-two", "id-three"):
            cloud.data[id]["servers"].append(server(name))
            site.add(openstack.instance, tenant, settings, name)
        for name in ("web", "db", "old", f"sg-{id[:4]}"):
            site.add(openstack.securitygroup, tenant, settings, name)
        (one, *_), (old,) = scene.rows(openstack.instance), scene.rows(openstack.securitygroup, backend_id="old")
        scene.add(openstack.instance_security_groups, instance_id=one.id, securitygroup_id=old.id)
        cloud.data[id]["ports"] += [
            port("p1", device_id="id-one", security_groups=["web"]),
            port("p2", device_id="id-one", security_groups=["web", "db", "unknown"]),
            port("p3", device_id="id-two", security_groups=[]),
            port("p4", device_id="a router", security_groups=["db"]),
        ]
        site.run(pull_tenant_resources)
        # The third has no port that the tenant sees: nova is asked.
        assert links(scene) == {("id-one", "web"), ("id-one", "db"), ("id-three", f"sg-{id[:4]}")}
        assert cloud.calls[ASKED_ALONE] == 1
        assert dict(site.run(pull_tenant_resources).rows) == {}


def test_calls_grow_with_pages_not_with_servers(scene: Scene) -> None:
    site, id = CloudSite(scene), project_id(1)
    asked: list[Counter[str]] = []
    with serving_cloud(LoopbackCloud()) as cloud:
        settings = site.cloud(cloud)
        tenant = site.tenant(settings, id)
        scene.add(openstack.flavor, settings_id=settings, backend_id="f1", name="small", cores=1, ram=1, disk=1)
        for many in (range(3), range(3, 60)):
            for n in many:
                cloud.data[id]["servers"].append(server(f"id-{n}"))
                cloud.data[id]["ports"].append(port(f"p-{n}", device_id=f"id-{n}"))
                site.add(openstack.instance, tenant, settings, f"id-{n}")
            cloud.calls.clear()
            site.run(pull_tenant_resources)
            asked.append(Counter(cloud.calls))
    assert asked[0] == asked[1]
