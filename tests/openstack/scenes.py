"""Sites with tenants at loopback clouds."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.openstack.cloud import PASSWORD, LoopbackCloud
from tests.scene import Scene
from waldur_dagster.outcome import Outcome
from waldur_dagster.platform.plugin_resources import PLUGIN_RESOURCES
from waldur_dagster.schema import django, openstack, structure
from waldur_dagster.site import Transactions

NOW = datetime(2025, 3, 10, 9, 30, tzinfo=UTC)
ENTRY = "openstack-tenant-resources-list-pull-task"
ENTRIES = {
    "pull_quotas": "openstack-tenant-pull-quotas",
    "pull_tenant_properties": "openstack-tenant-properties-list-pull-task",
    "pull_tenant_resources": ENTRY,
    "pull_tenant_subresources": "openstack-tenant-subresources-list-pull-task",
}


class CloudSite:
    """One customer with one project, which has tenants in one or more clouds."""

    def __init__(self, scene: Scene):
        self.scene = scene
        known = {(row.app_label, row.model) for row in scene.rows(django.content_type)}
        wanted = {(plugin.app_label, plugin.model) for plugin in PLUGIN_RESOURCES}
        wanted |= {("structure", "servicesettings"), ("openstack", "volumetype"), ("openstack", "securitygrouprule")}
        for app_label, model in sorted(wanted - known):
            scene.add(django.content_type, app_label=app_label, model=model)
        self.project = scene.project(scene.customer())

    def cloud(self, cloud: LoopbackCloud, name: str = "cloud", **values: Any) -> int:
        """Service settings of a cloud that is being served."""
        row = {
            "type": "OpenStack",
            "state": 3,
            "is_active": True,
            "backend_url": f"{cloud.url}/keystone/v3",
            "username": "admin",
            "password": PASSWORD,
            "domain": "Default",
            "options": json.dumps({"tenant_name": "admin"}),
        }
        return self.scene.add(structure.servicesettings, name=name, **(row | values))

    def tenant(self, settings: int, backend_id: str | None, **values: Any) -> int:
        short = (backend_id or "")[:4]
        row = {
            "name": f"tenant-{short}",
            "state": 3,
            "action_details": "{}",
            "user_username": f"user-{short}",
            "user_password": PASSWORD,
            "modified": NOW - timedelta(days=2),
        }
        return self.scene.add(openstack.tenant, backend_id=backend_id, **self._at(settings), **(row | values))

    def add(self, table: Any, tenant: int, settings: int, backend_id: str, **values: Any) -> int:
        """A row of a tenant: a volume, a port ..."""
        json_columns = ("action_details", "metadata", "image_metadata")
        row = {"state": 3, "tenant_id": tenant, "backend_id": backend_id, "name": backend_id}
        row |= {name: "{}" for name in json_columns if name in self.scene.whole(table).c}
        row |= {"modified": NOW - timedelta(days=2)}
        return self.scene.add(table, **(row | self._at(settings) | values))

    def run(
        self, do: Callable[[Transactions], Any], *, dry_run: bool = False, entry: str = "", **document: Any
    ) -> Outcome:
        with self.scene.site(dry_run=dry_run, **document) as site:
            do(site.transactions(entry or ENTRIES[do.__name__], NOW))
            return site.outcome

    def _at(self, settings: int) -> dict[str, int]:
        return {"project_id": self.project, "service_settings_id": settings}


def project_id(number: int) -> str:
    return f"{number:032x}"


def server(id: str, **values: Any) -> dict[str, Any]:
    facts = {"status": "ACTIVE", "flavor": {"id": "f1"}, "addresses": {}, "os-extended-volumes:volumes_attached": []}
    return facts | {"id": id, "name": id} | values


def volume(id: str, **values: Any) -> dict[str, Any]:
    facts = {"status": "available", "size": 10, "bootable": "false", "description": None, "attachments": []}
    return facts | {"id": id, "name": id, "metadata": {}} | values


def snapshot(id: str, **values: Any) -> dict[str, Any]:
    facts = {"status": "available", "size": 10, "description": None, "volume_id": "none", "metadata": {}}
    return facts | {"id": id, "name": None} | values


def port(id: str, **values: Any) -> dict[str, Any]:
    facts = {"name": "", "network_id": "net", "fixed_ips": [], "device_id": "", "device_owner": ""}
    return facts | {"id": id, "mac_address": "fa:16:3e:00:00:01", "security_groups": []} | values
