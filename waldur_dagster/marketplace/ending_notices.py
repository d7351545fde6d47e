"""Mails about projects and resources that end in a day or a week (spec marketplace, notification_about_*_ending)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, case, func, or_, select, union

from waldur_dagster.marketplace.grace_pauses import ends_without_grace
from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.marketplace.text_objects import RESOURCE
from waldur_dagster.outbox import put
from waldur_dagster.platform.contexts import full_name
from waldur_dagster.platform.mail import Letter, notification_mails
from waldur_dagster.platform.reminders import ends_to_tell
from waldur_dagster.platform.roles import OWNER, holders, is_mailable
from waldur_dagster.platform.template_objects import PROJECT, USER, Objects, person_names
from waldur_dagster.schema import core, marketplace, structure
from waldur_dagster.structure.project_ends import effective_end, grace_days, has_grace
from waldur_dagster.work import Work

DAYS_BEFORE = (1, 7)
user, project, resource, offering = core.user, structure.project, marketplace.resource, marketplace.offering


def tell_of_ending_projects(work: Work) -> int:
    """Mail managers and owners of projects that end in 1 or 7 days; returns the number of new mails.

    A mail is named by project, user, end date and distance: a second run on the same day repeats none. What was due on
    a day without a run is told late. Where the site's Waldur knows days of grace the last of them counts, everybody
    with a role in the project is told, and each user once of all his projects (newer_billing 4.6).
    """
    ends = ends_to_tell(work, DAYS_BEFORE)
    roles = None if has_grace(work) else ("PROJECT.MANAGER",)
    members = holders(work, "structure", "project", roles).subquery("members")
    owners = holders(work, "structure", "customer", (OWNER,)).subquery("owners")
    told = union(
        select(members.c.scope_id.label("project_id"), members.c.user_id),
        select(project.c.id, owners.c.user_id).join(owners, owners.c.scope_id == project.c.customer_id),
    ).subquery("told")
    end = effective_end(work)
    found = (
        select(
            project.c.id,
            project.c.uuid,
            project.c.name,
            project.c.end_date,
            end.label("end"),
            grace_days(work).label("grace"),
            *_person(),
        )
        .join(told, told.c.project_id == project.c.id)
        .join(user, user.c.id == told.c.user_id)
        .where(~project.c.is_removed, end.in_(ends), is_mailable(user))
        .order_by(end, project.c.id, user.c.id)
    )
    letters = _of_projects(work, found, ends)
    return put(work, notification_mails(work, "marketplace.notification_about_project_ending", letters))


def tell_of_ending_resources(work: Work) -> int:
    """Mail everybody with a role in the project of a resource that ends in 1 or 7 days; returns the new mails.

    Resources that end already, and those of removed projects, are left out. What was due on a day without a run is
    told late. On newer sites an earlier end of the project counts too (newer_billing 4.6).
    """
    ends = ends_to_tell(work, DAYS_BEFORE)
    members = holders(work, "structure", "project").subquery("members")
    end = _end_of_resource(work)
    found = (
        select(resource.c.id, resource.c.uuid, resource.c.name, end.label("end"), *_person())
        .join(project, project.c.id == resource.c.project_id)
        .join(offering, offering.c.id == resource.c.offering_id)
        .join(members, members.c.scope_id == project.c.id)
        .join(user, user.c.id == members.c.user_id)
        .where(
            _may_be_told(work, ends),
            end.in_(ends),
            resource.c.state.not_in((ResourceState.TERMINATING, ResourceState.TERMINATED)),
            ~project.c.is_removed,
            is_mailable(user),
        )
        .order_by(end, resource.c.id, user.c.id)
    )
    letters = _of_resources(work, found, ends)
    return put(work, notification_mails(work, "marketplace.notification_about_resource_ending", letters))


def _end_of_resource(work: Work) -> ColumnElement[Any]:
    """Its own end; on newer sites that of its project where it is earlier, without grace if the offering has none."""
    if not has_grace(work):
        return resource.c.end_date
    of_project = case((ends_without_grace(), project.c.end_date), else_=effective_end(work))
    return func.least(resource.c.end_date, of_project)


def _may_be_told(work: Work, ends: Mapping[date, int]) -> ColumnElement[bool]:
    """Those with an end of their own; on newer sites also those that end with the project while others have grace."""
    own = resource.c.end_date.in_(ends)
    if not has_grace(work):
        return own
    with_project = and_(
        project.c.end_date.in_(ends), offering.c.parent_id.is_(None), ends_without_grace(), grace_days(work) > 0
    )
    return or_(own, with_project)


def _person() -> tuple[Any, ...]:
    return user.c.id.label("user_id"), user.c.email, full_name(user).label("user_name")


def _of_projects(work: Work, found: Select[Any], ends: Mapping[date, int]) -> Iterator[Letter]:
    rows = work.connection.execute(found).all()
    things = Objects(work, PROJECT, (row.id for row in rows))
    people = Objects(work, USER, (row.user_id for row in rows))
    for group in _mails(work, rows):
        urls = [f"{work.settings['WALDUR_CORE.HOMEPORT_URL']}projects/{row.uuid.hex}/" for row in group]
        views = tuple(
            things.view(
                row.id,
                uuid=row.uuid,
                name=row.name,
                end_date=row.end_date,
                effective_end_date=row.end,
                grace_period_days=row.grace,
                delta=(row.end - work.today).days,
                url=url,
            )
            for row, url in zip(group, urls, strict=True)
        )
        first = group[0]
        facts = {
            "project": views[0],
            "project_url": urls[0],
            "projects": views,
            "count_projects": len(views),
            "user": people.view(first.user_id, **person_names(first.user_name)),
            "delta": (first.end - work.today).days,
            "end_date": first.end_date,
        }
        key = f"project {first.uuid.hex} ends {first.end} in {ends[first.end]} user {first.user_id}"
        if has_grace(work):
            key = f"projects of user {first.user_id} that end, told on {work.today}"
        yield Letter(key, first.email, facts)


def _mails(work: Work, rows: Sequence[Row[Any]]) -> list[list[Row[Any]]]:
    """What each mail tells of: one project, or on newer sites all projects of a user, the nearest end first."""
    if not has_grace(work):
        return [[row] for row in rows]
    by_user: dict[int, list[Row[Any]]] = {}
    for row in rows:
        by_user.setdefault(row.user_id, []).append(row)
    return list(by_user.values())


def _of_resources(work: Work, found: Select[Any], ends: Mapping[date, int]) -> Iterator[Letter]:
    rows = work.connection.execute(found).all()
    things = Objects(work, RESOURCE, (row.id for row in rows))
    people = Objects(work, USER, (row.user_id for row in rows))
    for row in rows:
        url = f"{work.settings['WALDUR_CORE.HOMEPORT_URL']}resource-details/{row.uuid.hex}/"
        facts = {
            "resource": things.view(row.id, uuid=row.uuid, name=row.name, end_date=row.end, url=url),
            "resource_url": url,
            "user": people.view(row.user_id, **person_names(row.user_name)),
            "delta": (row.end - work.today).days,
            "end_date": row.end,
        }
        yield Letter(f"resource {row.uuid.hex} ends {row.end} in {ends[row.end]} user {row.user_id}", row.email, facts)
