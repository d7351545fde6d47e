"""The job pull-priorities (spec rancher_support)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, func, null, or_, select

from waldur_dagster.clients.failures import ItemFailed
from waldur_dagster.help_desks.desks import ATLASSIAN, ZAMMAD, HelpDesk, active_desk, jira_at, zammad_at
from waldur_dagster.platform.lengths import fitting
from waldur_dagster.platform.merge import Merge
from waldur_dagster.schema.support import priority
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Stop, Visit, visit
from waldur_dagster.work import Work

COLUMNS = ("name", "description", "icon_url")


def pull_priorities(transaction: Transactions) -> None:
    """Make the site's priorities those of its help desk. An empty list changes nothing."""
    desk = active_desk(transaction, ATLASSIAN, ZAMMAD)
    if desk is None:
        return
    if desk.type == ATLASSIAN and "ATLASSIAN_PULL_PRIORITIES" not in desk.switches:
        transaction.log.info("Priorities are not pulled (ATLASSIAN_PULL_PRIORITIES): nothing to do.")
        return
    visit(transaction, [Stop(str(desk), "priorities", desk)], fetch, merge)


def fetch(visiting: Visit, desk: HelpDesk) -> list[dict[str, Any]]:
    """Rows of the table, from an answer that is complete."""
    try:
        if desk.type == ZAMMAD:
            return [_row(item, "", "") for item in zammad_at(visiting, desk).priorities()]
        found = jira_at(visiting, desk).priorities()
        return [_row(item, item.get("description"), item.get("iconUrl")) for item in found]
    except (KeyError, TypeError) as error:
        raise ItemFailed(f"{desk} gave a priority of an unknown form: {type(error).__name__} {error}") from None


def merge(work: Work, desk: HelpDesk, rows: Sequence[dict[str, Any]]) -> None:
    """Rows of this help desk only: other back ends' and those without an id were made by others, or by hand.

    Jira's have no back end's name, as Waldur writes them. Zammad knows names only, so the rest of its rows stays.
    """
    if not rows:
        work.outcome.warn("priorities", f"{desk} lists none: the known ones stay as they are")
        return
    own = priority.c.backend_name == desk.type
    if desk.type == ATLASSIAN:
        own = or_(own, priority.c.backend_name.is_(None))
    scope = and_(own, priority.c.backend_id != "")
    _drop_doubles(work, scope)
    rows = [row | {name: fitting(work, priority.c[name], row[name]) for name in COLUMNS} for row in rows]
    made = Merge(work, priority, rows, key=["backend_id"], columns=COLUMNS, scope=scope)
    made.delete(made.stale())
    made.update(COLUMNS if desk.type == ATLASSIAN else ["name"])
    name: Any = null() if desk.type == ATLASSIAN else desk.type
    pulled = {column: made.pulled.c[column] for column in ("backend_id", *COLUMNS)}
    made.insert(pulled | {"uuid": func.gen_random_uuid(), "backend_name": name})


def _drop_doubles(work: Work, scope: ColumnElement[bool]) -> None:
    """Of several rows with one id the oldest stays; nothing refers to a priority."""
    oldest = select(func.min(priority.c.id)).where(scope).group_by(priority.c.backend_id)
    work.execute(priority.delete().where(scope, priority.c.id.not_in(oldest)))


def _row(item: dict[str, Any], description: str | None, icon_url: str | None) -> dict[str, Any]:
    return {
        "backend_id": str(item["id"]),
        "name": str(item["name"]),
        "description": description or "",
        "icon_url": icon_url or "",
    }
