"""Mails about projects and resources that end in a day or a week (spec marketplace, notification_about_*_ending)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from sqlalchemy import Select, select, union

from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.marketplace.text_objects import RESOURCE
from waldur_dagster.outbox import put
from waldur_dagster.platform.contexts import full_name
from waldur_dagster.platform.mail import Letter, notification_mails
from waldur_dagster.platform.reminders import ends_to_tell
from waldur_dagster.platform.roles import OWNER, holders, is_mailable
from waldur_dagster.platform.template_objects import PROJECT, USER, Objects, person_names
from waldur_dagster.schema import core, marketplace, structure
from waldur_dagster.work import Work

DAYS_BEFORE = (1, 7)
user, project, resource = core.user, structure.project, marketplace.resource


def tell_of_ending_projects(work: Work) -> int:
    """Mail managers and owners of projects that end in 1 or 7 days; returns the number of new mails.

    A mail is named by project, user, end date and distance: a second run on the same day repeats none. What was due on
    a day without a run is told late.
    """
    ends = ends_to_tell(work, DAYS_BEFORE)
    managers = holders(work, "structure", "project", ("PROJECT.MANAGER",)).subquery("managers")
    owners = holders(work, "structure", "customer", (OWNER,)).subquery("owners")
    told = union(
        select(managers.c.scope_id.label("project_id"), managers.c.user_id),
        select(project.c.id, owners.c.user_id).join(owners, owners.c.scope_id == project.c.customer_id),
    ).subquery("told")
    found = (
        select(project.c.id, project.c.uuid, project.c.name, project.c.end_date, *_person())
        .join(told, told.c.project_id == project.c.id)
        .join(user, user.c.id == told.c.user_id)
        .where(~project.c.is_removed, project.c.end_date.in_(ends), is_mailable(user))
        .order_by(project.c.end_date, project.c.id, user.c.id)
    )
    letters = _letters(work, found, ends, "project", "projects")
    return put(work, notification_mails(work, "marketplace.notification_about_project_ending", letters))


def tell_of_ending_resources(work: Work) -> int:
    """Mail everybody with a role in the project of a resource that ends in 1 or 7 days; returns the new mails.

    Resources that end already, and those of removed projects, are left out. What was due on a day without a run is
    told late.
    """
    ends = ends_to_tell(work, DAYS_BEFORE)
    members = holders(work, "structure", "project").subquery("members")
    found = (
        select(resource.c.id, resource.c.uuid, resource.c.name, resource.c.end_date, *_person())
        .join(project, project.c.id == resource.c.project_id)
        .join(members, members.c.scope_id == project.c.id)
        .join(user, user.c.id == members.c.user_id)
        .where(
            resource.c.end_date.in_(ends),
            resource.c.state.not_in((ResourceState.TERMINATING, ResourceState.TERMINATED)),
            ~project.c.is_removed,
            is_mailable(user),
        )
        .order_by(resource.c.end_date, resource.c.id, user.c.id)
    )
    letters = _letters(work, found, ends, "resource", "resource-details")
    return put(work, notification_mails(work, "marketplace.notification_about_resource_ending", letters))


def _person() -> tuple[Any, ...]:
    return user.c.id.label("user_id"), user.c.email, full_name(user).label("user_name")


def _letters(work: Work, found: Select[Any], ends: Mapping[date, int], kind: str, path: str) -> Iterator[Letter]:
    rows = work.connection.execute(found).all()
    things = Objects(work, PROJECT if kind == "project" else RESOURCE, (row.id for row in rows))
    people = Objects(work, USER, (row.user_id for row in rows))
    for row in rows:
        days = (row.end_date - work.today).days
        url = f"{work.settings['WALDUR_CORE.HOMEPORT_URL']}{path}/{row.uuid.hex}/"
        thing = things.view(row.id, uuid=row.uuid, name=row.name, end_date=row.end_date, url=url)
        facts = {
            kind: thing,
            f"{kind}_url": url,
            "user": people.view(row.user_id, **person_names(row.user_name)),
            "delta": days,
            "end_date": row.end_date,
        }
        if kind == "project":  # Waldur of today tells several in one mail
            facts |= {"projects": (thing,), "count_projects": 1}
        key = f"{kind} {row.uuid.hex} ends {row.end_date} in {ends[row.end_date]} user {row.user_id}"
        yield Letter(key, row.email, facts)
