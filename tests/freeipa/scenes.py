"""A site with a FreeIPA on loopback."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tests.freeipa_server import FreeIpaServer
from tests.scene import Scene
from waldur_dagster.freeipa.entries import sync_groups
from waldur_dagster.freeipa.name_sync import sync_names
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import freeipa
from waldur_dagster.site import Transactions

NOW = datetime(2025, 3, 10, 9, 30, tzinfo=UTC)
PASSWORD = "the password of FreeIPA"
ENTRIES: dict[Callable[[Transactions], None], str] = {
    sync_groups: "waldur-freeipa-sync-groups",
    sync_names: "waldur-freeipa-sync-names",
}


def settings(server: FreeIpaServer | str, **more: Any) -> dict[str, Any]:
    hostname = server if isinstance(server, str) else server.hostname
    return {"ENABLED": True, "HOSTNAME": hostname, "USERNAME": "svc", "PASSWORD": PASSWORD} | more


def run(
    scene: Scene, do: Callable[[Transactions], None], server: FreeIpaServer | str, dry_run: bool = False, **more: Any
) -> Outcome:
    with scene.site(dry_run=dry_run, waldur={"WALDUR_FREEIPA": settings(server, **more)}) as site:
        do(site.transactions(ENTRIES[do], NOW))
        return site.outcome


def profile(scene: Scene, server: FreeIpaServer, name: str, *, is_active: bool = True, **user: Any) -> int:
    """A person with a profile and an account in FreeIPA; returns the person."""
    person = scene.user(f"{name}@x.org", first_name=name.title(), last_name="Person", **user)
    scene.add(freeipa.profile, user_id=person, username=f"waldur_{name}", is_active=is_active)
    server.users[f"waldur_{name}"] = {"nsaccountlock": not is_active}
    return person


def name_of(kind: str, number: int) -> str:
    """What the group of a customer or project with a uuid made by ``uuid_of`` is called."""
    return f"waldur_{kind}_{uuid_of(number).hex}"


def uuid_of(number: int) -> UUID:
    return UUID(int=number)
