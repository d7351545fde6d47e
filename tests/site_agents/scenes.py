"""Offerings of site agents on a small site, in either generation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.scene import Scene

NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)
FLAG = "service_provider_can_create_offering_user"


class Cluster:
    """A provider with an offering that makes accounts, and a project with a resource of it."""

    def __init__(self, scene: Scene, policy: str | None = "waldur_username", flag: Any = True, **values: Any):
        self.scene = scene
        self.newer = scene.schema.has("marketplace_offeringuser", "state")
        options = {"username_generation_policy": policy} if policy else {}
        place = "plugin_options" if self.newer else "secret_options"
        facts: dict[str, Any] = {"plugin_options": options, "secret_options": {}, "state": 2}
        facts[place] = facts[place] | {FLAG: flag}
        facts |= {"type": "Marketplace.Slurm", "name": "Cluster {one}"} | values
        self.customer = scene.customer("Provider")
        self.offering = scene.offering(self.customer, **facts)
        self.project = self.new_project()

    def new_project(self, state: int = 2, **values: Any) -> int:
        project = self.scene.project(self.customer, **values)
        self.scene.resource(project, self.offering, None, state=state)
        return project

    def member(self, username: str, project: int | None = None, **values: Any) -> int:
        user = self.scene.user(f"{username}@example.org", username=username, **values)
        self.scene.role(user, "PROJECT.MEMBER", "project", project or self.project)
        return user
