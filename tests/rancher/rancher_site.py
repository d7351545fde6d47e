"""Sites with clusters at Rancher servers that are played on loopback."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Table, update

from tests.rancher.rancher_server import KEY, SECRET, LoopbackRancher
from tests.scene import Scene
from waldur_dagster.outcome import Outcome
from waldur_dagster.platform.plugin_resources import PLUGIN_RESOURCES
from waldur_dagster.schema import django, marketplace, rancher, structure

NOW = datetime(2025, 3, 10, 9, 30, tzinfo=UTC)
BEFORE = NOW - timedelta(days=20)


class RancherSite:
    """One customer with one project, which has clusters at one or more servers."""

    def __init__(self, scene: Scene):
        self.scene = scene
        known = {(row.app_label, row.model) for row in scene.rows(django.content_type)}
        wanted = {(plugin.app_label, plugin.model) for plugin in PLUGIN_RESOURCES}
        for app_label, model in sorted((wanted | {("structure", "servicesettings")}) - known):
            scene.add(django.content_type, app_label=app_label, model=model)
        self.customer = scene.customer()
        self.project = scene.project(self.customer)

    def server(self, server: LoopbackRancher, name: str = "rancher", **options: Any) -> int:
        row = {"type": "Rancher", "state": 3, "is_active": True, "username": KEY, "password": SECRET}
        return self.scene.add(
            structure.servicesettings, name=name, backend_url=server.url, options=json.dumps(options), **row
        )

    def cluster(self, settings: int, backend_id: str = "c-1", **values: Any) -> int:
        newer = {"vm_project_id": self.project} if self.scene.schema.has(rancher.cluster.name, "vm_project_id") else {}
        row = {"name": backend_id, "state": 3, "uuid": uuid.uuid4(), "modified": BEFORE, "project_id": self.project}
        row |= {"settings_id": settings, "service_settings_id": settings, **newer}
        return self.scene.add(rancher.cluster, backend_id=backend_id, **(row | values))

    def node(self, cluster: int, name: str, state: int = 3, **values: Any) -> int:
        row: dict[str, Any] = {"backend_id": f"m-{name}", "runtime_state": "active", "modified": BEFORE}
        row |= {"labels": {}, "annotations": {}}
        return self.scene.add(rancher.node, cluster_id=cluster, name=name, state=state, **(row | values))

    def sold(self, cluster: int, price: int = 10, **values: Any) -> int:
        """A resource of a cluster, whose nodes are paid for; returns its id."""
        kind = self.scene.one(django.content_type, app_label="waldur_rancher", model="cluster").id
        offering = self.scene.offering(self.customer, type="Marketplace.Rancher", billable=True, state=2)
        component = self.scene.component(offering, "node", "usage")
        plan = self.scene.plan(offering, unit="quantity")
        self.scene.price(plan, component, price)
        name = self.scene.one(rancher.cluster, id=cluster).name
        row = {"content_type_id": kind, "object_id": cluster, "state": 2, "backend_id": name} | values
        resource = self.scene.resource(self.project, offering, plan, name=name, **row)
        self.scene.add(marketplace.resourceplanperiod, resource_id=resource, plan_id=plan, start=BEFORE)
        return resource

    def rancher_project(self, settings: int, cluster: int | None, backend_id: str = "c-1:p-1") -> int:
        row = {"name": backend_id, "uuid": uuid.uuid4(), "settings_id": settings, "cluster_id": cluster}
        return self.scene.add(rancher.project, backend_id=backend_id, **row)

    def role(self, settings: int, name: str = "cluster-member", scope_type: str = "cluster") -> int:
        row = {"scope_type": scope_type, "display_name": name, "settings_id": settings}
        return self.scene.add(rancher.roletemplate, name=name, **row)

    def group(self, table: Table, scope: int, role: int, backend_id: str = "g") -> str:
        """The group of a role in a cluster or project; returns its name."""
        scope_uuid = self.scene.one(table, id=scope).uuid
        name = self.group_name(table, scope, self.scene.one(rancher.roletemplate, id=role).name)
        self.scene.add(rancher.keycloakgroup, name=name, scope_uuid=scope_uuid, role_id=role, backend_id=backend_id)
        return name

    def group_name(self, table: Table, scope: int, role: str = "") -> str:
        kind = "c" if table is rancher.cluster else "p"
        name = f"{kind}_{self.scene.one(table, id=scope).uuid.hex}"
        return f"{name}_{role}" if role else name

    def member(self, group: str, username: str, state: str = "pending", **values: Any) -> int:
        row = {"created": NOW - timedelta(hours=1), "last_checked": NOW - timedelta(hours=1), "state": state}
        group_id = self.scene.one(rancher.keycloakgroup, name=group).id
        return self.scene.add(rancher.membership, group_id=group_id, username=username, **(row | values))

    def run(
        self, do: Callable[..., Any], entry: str, *, at: datetime = NOW, dry_run: bool = False, **document: Any
    ) -> Outcome:
        with self.scene.site(dry_run=dry_run, **document) as site:
            do(site.transactions(entry, at))
            return site.outcome

    def change(self, table: Any, id: int, **values: Any) -> None:
        with self.scene.engine.begin() as connection:
            whole = self.scene.whole(table)
            connection.execute(update(whole).where(whole.c.id == id).values(values))


def told(outcome: Outcome) -> str:
    return " | ".join(f"{found.item}: {found.problem}" for found in (*outcome.failures, *outcome.warnings))
