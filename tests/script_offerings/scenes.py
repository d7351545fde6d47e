"""Resources of a script offering, and what their scripts say."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.docker_server import Container, Ended, docker_server
from tests.scene import BORN, Scene
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import core, marketplace
from waldur_dagster.script_offerings.pull import pull_script_resources
from waldur_dagster.site import Site, Transactions

ENTRY = "waldur-marketplace-script-pull-resources"
NOW = datetime(2025, 3, 10, 9, 30, tzinfo=UTC)
SCRIPT = {"language": "shell", "pull": "echo", "environ": [{"name": "API_KEY", "value": "geheim-7"}]}


def say(**parts: Any) -> Ended:
    """A script that reports something."""
    return Ended(b"connecting\n" + base64.b64encode(json.dumps(parts).encode()))


def always(ended: Ended) -> Callable[[Container], Ended]:
    return lambda _: ended


def usage(amount: Any, type: str = "cpu", **values: Any) -> dict[str, Any]:
    return {"type": type, "amount": amount} | values


def script_offering(scene: Scene, **options: Any) -> tuple[int, int]:
    """An offering with a plan that has a component cpu with a price of 3; returns the two."""
    offering = scene.offering(scene.customer("Provider"), "Jobs", "Marketplace.Script", secret_options=SCRIPT | options)
    plan = scene.plan(offering)
    scene.price(plan, scene.component(offering, billing_type="usage"), 3)
    return offering, plan


def script_resource(scene: Scene, offering: int, plan: int, name: str = "job", **values: Any) -> int:
    project = scene.project(scene.customer(f"Customer of {name}"))
    resource = scene.resource(project, offering, plan, name, **({"current_usages": {}} | values))
    scene.add(marketplace.resourceplanperiod, resource_id=resource, plan_id=plan, start=BORN)
    return resource


def job(scene: Scene, name: str = "job", **values: Any) -> int:
    """A resource with an offering of its own."""
    return script_resource(scene, *script_offering(scene), name, **values)


def pull(
    scene: Scene,
    play: Callable[[Container], Ended],
    *,
    dry_run: bool = False,
    containers: dict[str, Any] | None = None,
    **engine: Any,
) -> Outcome:
    """Run the job against an engine that plays the scripts."""
    with docker_server(play, **engine) as server:
        return pull_from(scene, {"DOCKER_CLIENT": {"base_url": server.url}}, dry_run=dry_run, containers=containers)


def pull_from(
    scene: Scene, settings: dict[str, Any], *, dry_run: bool = False, containers: dict[str, Any] | None = None
) -> Outcome:
    document = {"waldur": {"WALDUR_MARKETPLACE_SCRIPT": settings}, "script_containers": containers or {}}
    with scene.site(dry_run=dry_run, **document) as site:
        pull_script_resources(transactions(site))
        return site.outcome


def transactions(site: Site) -> Transactions:
    return site.transactions(ENTRY, NOW)


def resource_named(scene: Scene, name: str = "job") -> Any:
    return scene.one(marketplace.resource, name=name)


def robots(scene: Scene) -> int:
    return len(scene.rows(core.user, username="system_robot"))
