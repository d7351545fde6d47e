"""Mails about a resource to the team of its project (spec core 3, remote 1.5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from sqlalchemy import FromClause, Select, select

from waldur_dagster.marketplace.events import resource_facts
from waldur_dagster.outbox import put
from waldur_dagster.platform.mail import Letter, is_enabled, notification_mails
from waldur_dagster.platform.roles import recipients
from waldur_dagster.platform.template_objects import View
from waldur_dagster.schema import marketplace
from waldur_dagster.work import Work

resource = marketplace.resource


def mail_teams(work: Work, notification: str, facts: FromClause) -> int:
    """Send a notification to everybody with a role in the project of each resource; returns the number of new mails.

    ``facts`` has a column resource_id, and one for each fact that the texts show besides ``resource_name``. Texts of
    operators may use the facts of the resource's events too, as Waldur's do: ``project_name``, ``customer_name`` ...
    The key of a mail names notification, resource, instant and address: a run that is tried again repeats none.
    """
    if not is_enabled(work, notification):
        return 0
    shown = [column for column in facts.c if column.name != "resource_id"]
    team = recipients(work, "structure", "project").subquery("team")
    found: Select[Any] = (
        select(resource.c.id.label("resource_id"), resource.c.name.label("resource_name"), team.c.email, *shown)
        .join_from(facts, resource, resource.c.id == facts.c.resource_id)
        .join(team, team.c.scope_id == resource.c.project_id)
        .order_by(resource.c.id, team.c.email)
    )
    rows = work.connection.execute(found).mappings().all()

    events: dict[int, Mapping[str, Any]] = {}

    def event_facts(resource_id: int) -> Mapping[str, Any]:
        if not events:
            events.update(resource_facts(work, {row["resource_id"] for row in rows}))
        return events.get(resource_id, {})

    def letters() -> Iterator[Letter]:
        for row in rows:
            key = f"{notification} resource {row['resource_id']} {work.as_of.isoformat()} {row['email']}"
            shown = {name: value for name, value in row.items() if name not in ("resource_id", "email")}
            yield Letter(key, row["email"], View(shown, partial(event_facts, row["resource_id"])))

    return put(work, notification_mails(work, notification, letters()))
