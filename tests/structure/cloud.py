"""A small cloud: a tenant with volumes, and what the marketplace knows of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.scene import Scene
from waldur_dagster.marketplace.states import OrderState
from waldur_dagster.platform.plugin_resources import PLUGIN_RESOURCES
from waldur_dagster.schema import core, django, marketplace, openstack, structure

NOW = datetime(2025, 3, 10, 9, 30, tzinfo=UTC)
NOTIFICATIONS = ("create_failed", "update_succeeded", "update_limits_succeeded")


class Cloud:
    """One project that buys volumes, with one member who gets mails."""

    def __init__(self, scene: Scene):
        self.scene = scene
        known = {(row.app_label, row.model) for row in scene.rows(django.content_type)}
        for plugin in PLUGIN_RESOURCES:
            if (plugin.app_label, plugin.model) not in known:
                scene.add(django.content_type, app_label=plugin.app_label, model=plugin.model)
        self.volume_type = scene.one(django.content_type, app_label="openstack", model="volume").id
        customer = scene.customer()
        self.project = scene.project(customer)
        self.offering = scene.offering(customer, type="OpenStack.Volume")
        self.plan = scene.plan(self.offering, name="New", unit_price=5)
        self.settings = scene.add(structure.servicesettings, name="Cloud", type="OpenStack")
        self.tenant = scene.add(openstack.tenant, **self._at(), name="tenant", action_details="{}")
        self.member = scene.user("member@example.org", first_name="Mia", last_name="Member")
        scene.role(self.member, "PROJECT.MEMBER", "project", self.project)
        for name in NOTIFICATIONS:
            scene.add(core.notification, key=f"marketplace.marketplace_resource_{name}", enabled=True)

    def volume(self, state: int, *, hours: float = 5, **values: Any) -> int:
        """A volume that was written some hours ago."""
        row = {"name": "vol", "action_details": "{}", "tenant_id": self.tenant, "size": 1024} | self._at()
        return self.scene.add(
            openstack.volume, **(row | {"state": state, "modified": NOW - timedelta(hours=hours)} | values)
        )

    def bought(self, volume: int, state: int, plan: int | None = None, **values: Any) -> int:
        """The marketplace resource of a volume."""
        row: dict[str, Any] = {"name": "vol", "state": state, "content_type_id": self.volume_type, "object_id": volume}
        return self.scene.resource(self.project, self.offering, plan, **(row | values))

    def order(self, resource: int, type: int, **values: Any) -> int:
        row = {"state": OrderState.EXECUTING, "type": type, "resource_id": resource, "limits": {}}
        places = {"project_id": self.project, "offering_id": self.offering, "created_by_id": self.member}
        return self.scene.add(marketplace.order, **(row | places | values))

    def _at(self) -> dict[str, Any]:
        return {"project_id": self.project, "service_settings_id": self.settings}
