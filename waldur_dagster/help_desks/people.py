"""The job pull-support-users (spec rancher_support)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from waldur_dagster.clients.failures import ItemFailed
from waldur_dagster.help_desks.accounts import link_accounts
from waldur_dagster.help_desks.desks import ATLASSIAN, ZAMMAD, HelpDesk, active_desk, jira_at, zammad_at
from waldur_dagster.help_desks.people_rows import adopt, deactivate, has_active, insert, pulled_people, update_known
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Stop, Visit, visit
from waldur_dagster.work import Work

IDS = ("accountId", "key", "name")  # what Jira tells people by, whatever its version


def pull_support_users(transaction: Transactions) -> None:
    """Make the site's support users those of its help desk. Nobody is deleted, and an empty list changes nothing."""
    desk = active_desk(transaction, ATLASSIAN, ZAMMAD)
    if desk is not None:
        visit(transaction, [Stop(str(desk), "support users", desk)], fetch, merge)


def fetch(visiting: Visit, desk: HelpDesk) -> list[dict[str, Any]]:
    """Those whom the help desk knows: backend_id, name, is_active, and of Zammad login and email.

    Of Jira also ``ids``, all that it calls him by. One without a backend_id is not told by the one that counts.
    """
    try:
        if desk.type == ZAMMAD:
            return [_of_zammad(user) for user in zammad_at(visiting, desk).users()]
        named = "name" if "ATLASSIAN_USE_OLD_API" in desk.switches else "key"
        return [_of_jira(user, named) for user in jira_at(visiting, desk).assignable_users(desk.project)]
    except (KeyError, TypeError) as error:
        raise ItemFailed(f"{desk} gave a user of an unknown form: {type(error).__name__} {error}") from None


def merge(work: Work, desk: HelpDesk, rows: Sequence[dict[str, Any]]) -> None:
    """Known ones are updated, the others inserted, those that are not listed deactivated, in that order.

    Support users without an id were made by Waldur itself; those without a back end's name, which came with issues
    and comments, are adopted. Who is active at the help desk is active here. One without the id that counts is left
    out, and whatever may be his row stays as it is.
    """
    left_out = [row for row in rows if not row["backend_id"]]
    for row in left_out:
        work.outcome.warn(f"support user {row['name'] or row['ids'][0]}", f"is left out: {desk} gives no id of his")
    rows = [row for row in rows if row["backend_id"]]
    if not rows:
        if has_active(work, desk.type):
            work.outcome.warn("support users", f"{desk} lists nobody: the known ones stay as they are")
        return
    pulled = pulled_people(work, rows)
    adopt(work, desk.type, pulled)
    update_known(work, desk.type, pulled)
    insert(work, desk.type, pulled)
    known_as = [word for row in left_out for word in (*row["ids"], row["name"]) if word]
    deactivate(work, desk.type, pulled, but=known_as)
    if desk.type == ZAMMAD:
        link_accounts(work, desk.type, pulled)


def _of_zammad(user: dict[str, Any]) -> dict[str, Any]:
    first, last, login = (str(user.get(key) or "") for key in ("firstname", "lastname", "login"))
    return {
        "backend_id": str(user["id"]),
        "name": (f"{first} {last}" if first and last else login)[:150],
        "is_active": user.get("active") is not False,
        "login": login,
        "email": str(user.get("email") or ""),
    }


def _of_jira(user: dict[str, Any], named: str) -> dict[str, Any]:
    return {
        "backend_id": str(user.get(named) or user.get("accountId") or ""),
        "ids": [str(user[key]) for key in IDS if user.get(key)],
        "name": str(user.get("displayName") or "")[:150],
        "is_active": user.get("active") is not False,
        "login": "",
        "email": "",
    }
