"""waldur-pull-remote-eduteams-users: the profiles and keys of people who came through eduTEAMS (spec people)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from waldur_dagster.clients.eduteams import Person, Proxy, Token, new_token
from waldur_dagster.clients.failures import VisitFailed
from waldur_dagster.eduteams import profiles, refresh_token
from waldur_dagster.eduteams.due import Due
from waldur_dagster.eduteams.entries import SECTION
from waldur_dagster.eduteams.ssh_keys import synchronize_keys
from waldur_dagster.freeipa.profile_push import push_profiles
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Stop, Visit, visit
from waldur_dagster.words import keep_secret
from waldur_dagster.work import Work

SYSTEM = "eduTEAMS"


def pull(transaction: Transactions, people: Sequence[Due]) -> None:
    """Ask for each of these people, and make account and keys what is said.

    Without a token nothing changes. An account that cannot be refreshed keeps everything, and goes to the end of the
    queue. FreeIPA is told of changed profiles and keys after that.
    """
    with transaction() as work:
        facts = {name: work.settings[f"{SECTION}.REMOTE_EDUTEAMS_{name}"] for name in _SETTINGS}
        used, scope = refresh_token.refresh_token(work), refresh_token.scope(work)
    keep_secret(used, facts["SECRET"])
    access = _access(transaction, facts, used, scope)
    if access is None:
        return
    changed_profiles: set[int] = set()
    changed_keys: set[int] = set()

    def fetch(visiting: Visit, one: Due) -> Person | None:
        proxy = visiting.client(SYSTEM, lambda: Proxy(facts["USERINFO_URL"], access))
        return proxy.person(one.username)

    def merge(work: Work, one: Due, person: Person | None) -> None:
        account = profiles.locked(work, one.id)
        if account is None:
            return
        if person is None:
            profiles.leave(work, account)
            return
        if profiles.refresh(work, account, person):
            changed_profiles.add(one.id)
        if not person.keys.whole:
            work.outcome.warn(_item(one), "comes with SSH keys that cannot be read, and keeps those that it has")
        changed_keys.update(synchronize_keys(work, {one.id: person.keys}))

    def failed(work: Work, one: Due, _: VisitFailed) -> bool:
        profiles.queue_behind(work, one.id)
        return False

    visit(transaction, [Stop(SYSTEM, _item(one), one) for one in people], fetch, merge, failed=failed)
    push_profiles(transaction, people=changed_profiles, keys=changed_keys)


_SETTINGS = ("TOKEN_URL", "USERINFO_URL", "CLIENT_ID", "SECRET")


def _access(transaction: Transactions, facts: dict[str, Any], used: str, scope: str) -> str | None:
    """A token for the run; None when none was given, which is told then."""
    found: list[str] = []

    def fetch(_: Visit, __: Any) -> Token:
        return new_token(facts["TOKEN_URL"], facts["CLIENT_ID"], facts["SECRET"], used, scope)

    def merge(work: Work, _: Any, token: Token) -> None:
        keep_secret(token.access, token.refresh)
        refresh_token.keep(work, used, token.refresh)
        found.append(token.access)

    visit(transaction, [Stop(SYSTEM, f"{SYSTEM}, its token", None)], fetch, merge)
    return found[0] if found else None


def _item(one: Due) -> str:
    return f"account {one.username}"
