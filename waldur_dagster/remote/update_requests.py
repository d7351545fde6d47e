"""Reminders of changes to projects that wait for over a week (spec remote 2)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import distinct_on

from waldur_dagster.marketplace.text_objects import OFFERING
from waldur_dagster.outbox import put
from waldur_dagster.platform.mail import Letter, notification_mails
from waldur_dagster.platform.roles import OWNER, recipients
from waldur_dagster.platform.template_objects import PROJECT, USER, Kind, Objects
from waldur_dagster.schema import marketplace_remote, structure
from waldur_dagster.work import Work

NOTIFICATION = "marketplace_remote.notification_about_pending_project_updates"
PATIENCE = timedelta(days=7)
PENDING = 2

request, project = marketplace_remote.projectupdaterequest, structure.project

REQUEST = Kind(
    request.name,
    (
        *("uuid", "created", "modified", "state", "old_name", "new_name", "old_description", "new_description"),
        *("old_end_date", "new_end_date", "old_oecd_fos_2007_code", "new_oecd_fos_2007_code", "old_is_industry"),
        *("new_is_industry", "review_comment"),
    ),
    {
        "project": ("project_id", PROJECT),
        "offering": ("offering_id", OFFERING),
        "created_by": ("created_by_id", USER),
    },
)


def remind_of_update_requests(work: Work) -> int:
    """Mail the owners of projects with a change that has waited for seven days or more; returns the new mails.

    One mail for each project and address, however many changes of the project wait; projects that are removed are left
    out. A mail is named by project, day and address, so a run that is tried again repeats none.
    """
    return put(work, notification_mails(work, NOTIFICATION, _letters(work)))


def _letters(work: Work) -> Iterator[Letter]:
    rows = work.connection.execute(_waiting(work)).all()
    requests = Objects(work, REQUEST, {row.request_id for row in rows})
    projects = Objects(work, PROJECT, {row.project_id for row in rows})
    home = work.settings["WALDUR_CORE.HOMEPORT_URL"].rstrip("/")
    for row in rows:
        shown = projects.view(row.project_id, uuid=row.uuid, name=row.name)
        facts = {
            "project_update_request": requests.view(row.request_id, project=shown),
            "project_url": f"{home}/projects/{row.uuid.hex}/marketplace-project-update-requests/",
        }
        key = f"pending changes of project {row.uuid.hex} told on {work.today} to {row.email}"
        yield Letter(key, row.email, facts)


def _waiting(work: Work) -> Select[Any]:
    """A row for each project and owner; of several changes of a project the oldest is shown."""
    oldest = (
        select(request.c.id.label("request_id"), request.c.project_id)
        .where(request.c.state == PENDING, request.c.created <= work.as_of - PATIENCE)
        .ext(distinct_on(request.c.project_id))
        .order_by(request.c.project_id, request.c.created, request.c.id)
        .subquery("oldest")
    )
    owners = recipients(work, "structure", "customer", (OWNER,)).subquery("owners")
    return (
        select(oldest.c.request_id, oldest.c.project_id, project.c.uuid, project.c.name, owners.c.email)
        .join(project, project.c.id == oldest.c.project_id)
        .join(owners, owners.c.scope_id == project.c.customer_id)
        .where(~project.c.is_removed)
        .order_by(project.c.id, owners.c.email)
    )
