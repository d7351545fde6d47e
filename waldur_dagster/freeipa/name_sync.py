"""waldur-freeipa-sync-names: people's names in FreeIPA are those that the site knows (spec people)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from waldur_dagster.freeipa.people import names
from waldur_dagster.freeipa.server import connect, is_enabled, server_facts, system_name
from waldur_dagster.schema import core, freeipa
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Stop, Visit, visit
from waldur_dagster.work import Work

profile, user = freeipa.profile, core.user


@dataclass(frozen=True)
class Named:
    """An account in FreeIPA and the names of its owner."""

    username: str
    first_name: str
    last_name: str


def sync_names(transaction: Transactions) -> None:
    """Tell FreeIPA the names of everybody who has an active profile, in one session and one call for each.

    Nothing is looked up first: FreeIPA says itself that there is nothing to change. What it refuses is told for the
    profile, and the others are done.
    """
    with transaction() as work:
        if not is_enabled(work):
            return
        facts = server_facts(work)
        stops = [Stop(system_name(facts), f"FreeIPA account {one.username}", one) for one in _named(work)]

    def fetch(visiting: Visit, one: Named) -> bool:
        server = visiting.client("FreeIPA", lambda: connect(facts))
        told = names(one.first_name, one.last_name)
        words = f"user_mod {one.username}: {told['cn']}"
        return bool(visiting.change(words, lambda: server.change_user(one.username, told)))

    def merge(work: Work, _: Any, changed: bool) -> None:
        work.outcome.figures["names changed in FreeIPA"] += changed

    visit(transaction, stops, fetch, merge, parallel=1)


def _named(work: Work) -> list[Named]:
    """The profiles that are active, by id; their owner may be deactivated."""
    rows = (
        select(profile.c.username, user.c.first_name, user.c.last_name)
        .join(user, user.c.id == profile.c.user_id)
        .where(profile.c.is_active)
        .order_by(profile.c.id)
    )
    return [Named(*row) for row in work.connection.execute(rows)]
