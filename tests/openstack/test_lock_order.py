"""A pull locks the marketplace's resources before the rows of its cloud, as every job that writes both."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import event

from tests.openstack.cloud import LoopbackCloud, serving_cloud
from tests.openstack.scenes import ENTRIES, NOW, CloudSite, project_id, server, volume
from tests.scene import Scene
from waldur_dagster.clients import patience
from waldur_dagster.openstack.pull_resources import pull_tenant_resources
from waldur_dagster.openstack.quotas import pull_quotas
from waldur_dagster.schema import django, openstack
from waldur_dagster.services.pull import pull_service_resources

WRITES = re.compile(r"\b(?:UPDATE|DELETE FROM) (\w+)(?: SET| AS| WHERE|\s)")
COUPLED = {"openstack_tenant", "openstack_instance", "openstack_volume"}
PULLS = (
    (pull_tenant_resources, ENTRIES["pull_tenant_resources"]),
    (pull_quotas, ENTRIES["pull_quotas"]),
    (pull_service_resources, "pull-service-resources"),
)


def locked_by(statement: str) -> list[str]:
    """The tables whose rows a statement locks, those that it only reads and then locks first."""
    read = re.search(r"\bFOR UPDATE(?: OF (\w+))?", statement)
    found = [read[1] or re.findall(r"FROM (\w+)", statement)[0]] if read else []
    return found + [name for name in WRITES.findall(statement) if name != "OF"]


@pytest.mark.parametrize("gone", [False, True], ids=["changed", "gone"])
@pytest.mark.parametrize(("do", "entry"), PULLS)
def test_the_marketplace_is_locked_first(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, do: Any, entry: str, gone: bool
) -> None:
    site, backend_id = CloudSite(scene), project_id(1)
    transactions: list[list[str]] = []
    current: dict[int, list[str]] = {}  # by connection

    def begin(connection: Any) -> None:
        current[id(connection)] = []
        transactions.append(current[id(connection)])

    def note(connection: Any, _: Any, statement: str, *__: Any) -> None:
        current[id(connection)] += locked_by(statement)

    with serving_cloud(LoopbackCloud()) as cloud:
        settings = site.cloud(cloud)
        tenant = site.tenant(settings, backend_id, name="old")
        if not gone:
            cloud.data[backend_id]["servers"].append(server("s", status="SHUTOFF"))
            cloud.data[backend_id]["volumes"].append(volume("v", status="in-use"))
        rows = {
            "tenant": tenant,
            "instance": site.add(openstack.instance, tenant, settings, "s", name="old"),
            "volume": site.add(openstack.volume, tenant, settings, "v", name="old"),
        }
        for model, object_id in rows.items():
            kind = scene.one(django.content_type, app_label="openstack", model=model).id
            offering = scene.offering(1, type=f"OpenStack.{model}")
            scene.resource(site.project, offering, None, model, content_type_id=kind, object_id=object_id)
        monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.01)
        if do is pull_quotas and gone:
            cloud.fault = lambda *_: (500, {})
        with scene.site() as run:
            event.listen(run.engine, "begin", begin)
            event.listen(run.engine, "before_cursor_execute", note)
            do(run.transactions(entry, NOW))
    both = [tables for tables in transactions if COUPLED & {*tables} and "marketplace_resource" in tables]
    assert both or do is pull_quotas
    for tables in both:
        assert "marketplace_resource" in tables[: min(tables.index(table) for table in COUPLED & {*tables})]
