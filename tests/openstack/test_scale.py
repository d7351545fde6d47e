"""Statements for a tenant do not grow with what it has."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from tests.openstack.cloud import LoopbackCloud, serving_cloud
from tests.openstack.scenes import ENTRIES, NOW, CloudSite, port, project_id, server, snapshot, volume
from tests.scene import Scene
from waldur_dagster.openstack.pull_resources import pull_tenant_resources
from waldur_dagster.openstack.pull_subresources import pull_tenant_subresources
from waldur_dagster.schema import openstack
from waldur_dagster.site import Transactions


@pytest.mark.parametrize("do", [pull_tenant_resources, pull_tenant_subresources])
def test_statements_do_not_grow_with_rows(scene: Scene, twin_scene: Scene, do: object) -> None:
    counts = [_statements(place, do, many) for place, many in ((scene, 3), (twin_scene, 60))]
    assert counts[0] == counts[1]


def _statements(scene: Scene, do: object, many: int) -> int:
    site, id = CloudSite(scene), project_id(1)
    seen: list[str] = []
    with serving_cloud(LoopbackCloud()) as cloud:
        settings = site.cloud(cloud)
        tenant = site.tenant(settings, id)
        for n in range(many):
            cloud.data[id]["servers"].append(server(f"id-s{n}"))
            cloud.data[id]["volumes"].append(volume(f"id-v{n}"))
            cloud.data[id]["snapshots"].append(snapshot(f"id-n{n}"))
            cloud.data[id]["ports"].append(port(f"id-p{n}"))
            site.add(openstack.instance, tenant, settings, f"id-s{n}", name="old")
            site.add(openstack.volume, tenant, settings, f"id-v{n}", name="old")
            site.add(openstack.snapshot, tenant, settings, f"id-n{n}", name="old")
        with scene.site() as run:
            event.listen(run.engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
            transactions: Transactions = run.transactions(ENTRIES[do.__name__], NOW)  # type: ignore[attr-defined]
            do(transactions)  # type: ignore[operator]
    return len(seen)
