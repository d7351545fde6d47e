"""waldur-pull-remote-eduteams-ssh-keys: everybody's SSH keys at once (spec people)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from waldur_dagster.clients.eduteams import Keys, all_keys, keys_on
from waldur_dagster.eduteams.ssh_keys import synchronize_keys
from waldur_dagster.freeipa.profile_push import push_profiles
from waldur_dagster.schema import core
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Stop, Visit, visit
from waldur_dagster.work import Work

SYSTEM = "the SSH keys of eduTEAMS"
SHOWN = 10  # names in a warning

user = core.user


def pull(transaction: Transactions, url: str, username: str, password: str) -> None:
    """Ask once for all keys, and make those of active accounts with these names the site's.

    Whoever is not named in the answer keeps his keys, and so does everybody when there is no whole answer.
    """
    changed: set[int] = set()

    def fetch(_: Visit, __: Any) -> dict[str, Any]:
        return all_keys(url, username, password)

    def merge(work: Work, _: Any, data: dict[str, Any]) -> None:
        changed.update(_merge(work, data))

    visit(transaction, [Stop(SYSTEM, SYSTEM, None)], fetch, merge)
    push_profiles(transaction, keys=changed)


def _merge(work: Work, data: dict[str, Any]) -> set[int]:
    known = select(user.c.username, user.c.id).where(user.c.is_active, user.c.username == func.any(list(data)))
    ids = {row.username: row.id for row in work.connection.execute(known)}
    listed = {name: _keys(data[name]) for name in ids}
    unread = sorted(name for name, keys in listed.items() if not keys.whole)
    _warn(work, sorted(data.keys() - ids.keys()), "have no active account here")
    _warn(work, unread, "come without a list ssh_keys that can be read as a whole, and keep their keys")
    return synchronize_keys(work, {ids[name]: keys for name, keys in listed.items()})


def _keys(entry: Any) -> Keys:
    return keys_on(entry.get("ssh_keys") if isinstance(entry, dict) else None)


def _warn(work: Work, names: list[str], problem: str) -> None:
    if names:
        more = ", ..." if len(names) > SHOWN else ""
        work.outcome.warn(SYSTEM, f"{len(names)} people {problem}: {', '.join(names[:SHOWN])}{more}")
