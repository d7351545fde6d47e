"""Pulls that are killed in the middle, and two at once: what they leave is what an undisturbed one leaves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.openstack.cloud import LoopbackCloud, serving_cloud
from tests.openstack.running import ENTRIES, meet, running
from tests.openstack.scenes import CloudSite, port, project_id, server, snapshot, volume
from tests.processes import halting, kill, wait_until
from tests.scene import Scene
from waldur_dagster.schema import openstack, quotas

RESOURCES, SUBRESOURCES = "openstack-tenant-resources-list-pull-task", "openstack-tenant-subresources-list-pull-task"
TENANTS, EACH = 8, 3
ONLY_OURS = {"id", "uuid", "created", "modified"}
TABLES = (openstack.instance, openstack.volume, openstack.snapshot, openstack.port, openstack.tenant)


def cloud_of_tenants() -> LoopbackCloud:
    cloud = LoopbackCloud(pause=0.02)
    for number in range(TENANTS):
        own = cloud.data[project_id(number)]
        for n in range(EACH):
            own["servers"].append(server(f"id-s-{number}-{n}"))
            own["volumes"].append(volume(f"id-v-{number}-{n}", name="renamed"))
            own["snapshots"].append(snapshot(f"id-n-{number}-{n}"))
            own["ports"].append(port(f"id-p-{number}-{n}"))
    return cloud


def site_of(scene: Scene, cloud: LoopbackCloud) -> CloudSite:
    """Each tenant has its servers, volumes and snapshots, and a volume that is gone; nothing of the networks."""
    site = CloudSite(scene)
    settings = site.cloud(cloud)
    for number in range(TENANTS):
        tenant = site.tenant(settings, project_id(number))
        for n in range(EACH):
            site.add(openstack.instance, tenant, settings, f"id-s-{number}-{n}", name="old")
            site.add(openstack.volume, tenant, settings, f"id-v-{number}-{n}", name="old")
            site.add(openstack.snapshot, tenant, settings, f"id-n-{number}-{n}", name="old")
        site.add(openstack.volume, tenant, settings, f"id-gone-{number}", name="gone")
    return site


def state(scene: Scene) -> dict[str, Any]:
    """All rows by what the cloud and the site know them by, and what they count for."""
    rows = {
        table.name: sorted(
            str({name: value for name, value in row._mapping.items() if name not in ONLY_OURS})
            for row in scene.rows(table)
        )
        for table in TABLES
    }
    counted: dict[str, int] = {}
    for row in scene.rows(quotas.quotausage):
        counted[row.name] = counted.get(row.name, 0) + row.delta
    return rows | {"counted": counted}


def done(scene: Scene, entry: str) -> int:
    """How many tenants were merged."""
    if entry == SUBRESOURCES:
        return len({row.tenant_id for row in scene.rows(openstack.port)})
    return len({row.tenant_id for row in scene.rows(openstack.volume) if row.name == "renamed"})


@pytest.mark.parametrize("entry", [RESOURCES, SUBRESOURCES])
def test_a_pull_that_is_killed_is_ended_by_the_next(scene: Scene, twin_scene: Scene, entry: str) -> None:
    with serving_cloud(cloud_of_tenants()) as cloud:
        site, undisturbed = site_of(scene, cloud), site_of(twin_scene, cloud)
        undisturbed.run(ENTRIES[entry])
        cloud.fault, go_on = halting(lambda: done(scene, entry) >= 2)
        process = running(address(scene), entry)
        wait_until(lambda: done(scene, entry) >= 2)
        kill(process, scene.engine)
        go_on.set()
        assert 2 <= done(scene, entry) < TENANTS
        site.run(ENTRIES[entry])
    assert state(scene) == state(twin_scene)


@pytest.mark.parametrize("entry", [RESOURCES, SUBRESOURCES])
def test_two_pulls_at_once_do_the_work_once(scene: Scene, twin_scene: Scene, entry: str) -> None:
    with serving_cloud(cloud_of_tenants()) as cloud:
        site_of(scene, cloud)
        site_of(twin_scene, cloud).run(ENTRIES[entry])
        meet(cloud, address(scene), entry, after=40)
    assert state(scene) == state(twin_scene)


def address(scene: Scene) -> str:
    return scene.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
