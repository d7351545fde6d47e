"""Sites with a help desk that is played on loopback."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Table, insert

from tests.loopback import Routes
from tests.scene import Scene
from waldur_dagster.help_desks.people import pull_support_users
from waldur_dagster.help_desks.priorities import pull_priorities
from waldur_dagster.help_desks.request_types import sync_request_types
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import constance

NOW = datetime(2025, 3, 10, 9, 30, tzinfo=UTC)
ENTRIES: dict[Any, str] = {
    pull_priorities: "pull-priorities",
    pull_support_users: "pull-support-users",
    sync_request_types: "sync_request_types",
}
SECRET = "s3cret-of-the-desk"


def keep_settings(scene: Scene, **values: Any) -> None:
    """Settings as administrators keep them in the database, in the table of the site's version."""
    table: Table = constance.constance if scene.schema.has("constance_constance") else constance.config
    with scene.site() as site, site.work("a test", NOW) as work:
        rows = [{"key": name, "value": work.constance.encoded(name, value)} for name, value in values.items()]
        work.connection.execute(insert(table), rows)


def jira(scene: Scene, url: str, **values: Any) -> None:
    kept = {"ATLASSIAN_API_URL": url, "ATLASSIAN_USERNAME": "bot", "ATLASSIAN_PASSWORD": SECRET}
    keep_settings(scene, WALDUR_SUPPORT_ENABLED=True, ATLASSIAN_PROJECT_ID="SUP", **(kept | values))


def zammad(scene: Scene, url: str, **values: Any) -> None:
    kept = {"WALDUR_SUPPORT_ACTIVE_BACKEND_TYPE": "zammad", "ZAMMAD_API_URL": url, "ZAMMAD_TOKEN": SECRET}
    keep_settings(scene, **(kept | values))


def run(scene: Scene, do: Callable[..., None], *, dry_run: bool = False) -> Outcome:
    with scene.site(dry_run=dry_run) as site:
        do(site.transactions(ENTRIES[do], NOW))
        return site.outcome


def people_of_jira(names: list[str], *, most: int = 1000, ignores_start: bool = False, **values: Any) -> Routes:
    """A Jira that gives ``most`` users on a page, whatever is asked for."""

    def page(query: dict[str, str], **_: Any) -> tuple[int, Any]:
        start = 0 if ignores_start else int(query.get("startAt", 0))
        found = [{"key": name, "displayName": name.title(), "active": True, **values} for name in names]
        return 200, found[start : start + most]

    return {("GET", "/rest/api/2/user/assignable/multiProjectSearch"): page}


def people_of_zammad(users: list[dict[str, Any]], *, most: int = 100) -> Routes:
    def page(query: dict[str, str], **_: Any) -> tuple[int, Any]:
        start = (int(query["page"]) - 1) * most
        return 200, users[start : start + most]

    return {("GET", "/api/v1/users"): page}


def told(outcome: Outcome) -> str:
    return " | ".join(f"{found.item}: {found.problem}" for found in (*outcome.failures, *outcome.warnings))
