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
def test_statements_for_ten_servers_are_those_for_a_thousand(scene: Scene, twin_scene: Scene, do: object) -> None:
    counts = [_statements(place, do, many) for place, many in ((scene, 10), (twin_scene, 1000))]
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
        with scene.site() as made, made.work("making", NOW) as work:
            place = {"tenant_id": tenant, "service_settings_id": settings, "project_id": site.project, "state": 3}
            for table, kind in ((openstack.instance, "s"), (openstack.volume, "v"), (openstack.snapshot, "n")):
                own = {name: "{}" for name in ("action_details", "metadata", "image_metadata") if name in table.c}
                work.insert(table, [{"backend_id": f"id-{kind}{n}", "name": "old"} | place | own for n in range(many)])
        with scene.site() as run:
            event.listen(run.engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
            transactions: Transactions = run.transactions(ENTRIES[do.__name__], NOW)  # type: ignore[attr-defined]
            do(transactions)  # type: ignore[operator]
    return len(seen)
