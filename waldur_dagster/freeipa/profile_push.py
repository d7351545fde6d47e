"""What FreeIPA is told when people's profiles or keys have changed on the site (spec people 0.5)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select

from waldur_dagster.freeipa.people import names
from waldur_dagster.freeipa.server import connect, is_enabled, server_facts, system_name
from waldur_dagster.schema import core, freeipa
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Stop, Visit, visit
from waldur_dagster.work import Work

profile, user, key = freeipa.profile, core.user, core.sshpublickey


@dataclass(frozen=True)
class Push:
    """An account, the attributes that it is to have, and all SSH keys that it is to have; None: not to be told."""

    username: str
    attributes: dict[str, Any] | None
    keys: list[str] | None


def push_profiles(transaction: Transactions, *, people: Collection[int] = (), keys: Collection[int] = ()) -> None:
    """Tell FreeIPA of users, by id, whose profiles (``people``) or SSH keys have changed and are committed.

    One login, a call for each changed profile, two for changed keys at most. Profiles count when they are active, keys
    in any case. What FreeIPA refuses is told; the change on the site stays.
    """
    if not (people or keys):
        return
    with transaction() as work:
        if not (is_enabled(work) and work.schema.has(profile.name)):
            return
        facts = server_facts(work)
        pushes = _pushes(work, people, keys)
    stops = [Stop(system_name(facts), f"FreeIPA account {one.username}", one) for one in pushes]

    def fetch(visiting: Visit, one: Push) -> None:
        server = visiting.client("FreeIPA", lambda: connect(facts))
        if one.attributes is not None:
            told = one.attributes
            visiting.change(f"user_mod {one.username}", lambda: server.change_user(one.username, told))
        if one.keys is not None and (visiting.dry_run or _keys_of(server.user(one.username)) != one.keys):
            known = {"ipasshpubkey": one.keys or None}
            visiting.change(f"keys of {one.username}", lambda: server.change_user(one.username, known))

    def merge(_: Work, __: Any, ___: None) -> None:
        """Nothing of the site depends on it."""

    visit(transaction, stops, fetch, merge, parallel=1)


def _pushes(work: Work, people: Collection[int], keys: Collection[int]) -> list[Push]:
    columns = ("first_name", "last_name", "email", "job_title", "preferred_language", "organization", "phone_number")
    rows = work.connection.execute(
        select(profile.c.username, profile.c.user_id, profile.c.is_active, *(user.c[name] for name in columns))
        .join(user, user.c.id == profile.c.user_id)
        .where(or_(profile.c.user_id.in_(people) & profile.c.is_active, profile.c.user_id.in_(keys)))
        .order_by(profile.c.id)
    ).all()
    texts: defaultdict[int, list[str]] = defaultdict(list)
    for row in work.connection.execute(select(key.c.user_id, key.c.public_key).where(key.c.user_id.in_(keys))):
        texts[row.user_id].append(row.public_key)
    return [
        Push(
            row.username,
            _attributes(row) if row.is_active and row.user_id in people else None,
            sorted(texts[row.user_id]) if row.user_id in keys else None,
        )
        for row in rows
    ]


def _attributes(row: Any) -> dict[str, Any]:
    """Those that are empty on the site are left as they are, but for the telephone number."""
    optional = {
        "mail": row.email,
        "title": row.job_title,
        "preferredlanguage": row.preferred_language,
        "ou": row.organization,
    }
    given = {name: value for name, value in optional.items() if value}
    return names(row.first_name, row.last_name) | given | {"telephonenumber": row.phone_number or ""}


def _keys_of(account: Any) -> list[str]:
    known = account.get("ipasshpubkey") or []
    return sorted(known) if isinstance(known, list) else [str(known)]
