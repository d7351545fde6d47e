"""Soft deletion of projects: the row stays, as do its resources and orders (spec marketplace 0.8)."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import FromClause, Integer, Table, Text, delete, literal, select, update

from waldur_dagster.outbox import Handover, put
from waldur_dagster.permissions.revoking import revoke_roles
from waldur_dagster.platform.contexts import customer_context, project_context
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import json_list, merged, text_from
from waldur_dagster.platform.quota_usage import add_deltas
from waldur_dagster.schema import billing, permissions, structure
from waldur_dagster.structure.ended_credits import settle_ended_credits
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

DELETE_REMOTE_PROJECT = "waldur_mastermind.marketplace_remote.tasks.delete_remote_project"
PROJECT_COUNT = "nc_project_count"
project, customer, held = structure.project, structure.customer, permissions.userrole


def soft_delete_projects(work: Work, chosen: FromClause) -> Table:
    """Mark the projects that ``chosen`` (a column project_id) names as removed, those that are not yet.

    Before that their roles end, with all that follows from it; after it their price estimates are deleted, they no
    longer count for their customer, and Waldur's workers delete them on remote sites. Returns the temporary table
    ``deleted_project`` (project_id, customer_id). Statements: constant.
    """
    doomed = temporary_table(
        work,
        "deleted_project",
        select(project.c.id.label("project_id"), project.c.customer_id)
        .where(project.c.id.in_(select(chosen.c.project_id)), ~project.c.is_removed)
        .order_by(project.c.id)
        .with_for_update(of=project),
    )
    _log(
        work,
        doomed,
        "project_deletion_triggered",
        "Project {name} will be deleted: it has reached its end date and has no active resources.",
    )
    _end_roles(work, doomed)
    work.execute(
        update(project).values(is_removed=True, modified=literal(work.as_of)).where(project.c.id == doomed.c.project_id)
    )
    _log(
        work,
        doomed,
        "project_update_succeeded",
        "Project {name} has been updated. Is_removed has been changed from 'False' to 'True'.",
    )
    settle_ended_credits(work, doomed)
    _delete_estimates(work, doomed)
    _count(work, doomed)
    _log(work, doomed, "project_deletion_succeeded", "Project {name} has been deleted.")
    put(work, _remote_deletions(work, doomed))
    return doomed


def _log(work: Work, doomed: Table, event_type: str, message: str) -> None:
    feeds = json_list(
        json_list(literal(work.content_types("structure", "project"), Integer), project.c.id),
        json_list(literal(work.content_types("structure", "customer"), Integer), customer.c.id),
    )
    log_events(
        work,
        select(
            literal(event_type, Text).label("event_type"),
            text_from(message, name=project.c.name).label("message"),
            merged(project_context(project), customer_context(customer)).label("context"),
            feeds.label("feeds"),
        )
        .select_from(doomed.join(project, project.c.id == doomed.c.project_id))
        .join(customer, customer.c.id == project.c.customer_id)
        .order_by(project.c.id),
    )


def _end_roles(work: Work, doomed: Table) -> None:
    on_project = work.content_types("structure", "project")
    roles = (
        select(held.c.id.label("userrole_id"))
        .join(doomed, doomed.c.project_id == held.c.object_id)
        .where(held.c.content_type_id == on_project, held.c.is_active)
    )
    revoke_roles(work, roles.subquery("of_projects"), reason="Project has been removed.")


def _delete_estimates(work: Work, doomed: Table) -> None:
    estimate = billing.priceestimate
    work.execute(
        delete(estimate).where(
            estimate.c.content_type_id == work.content_types("structure", "project"),
            estimate.c.object_id == doomed.c.project_id,
        )
    )


def _count(work: Work, doomed: Table) -> None:
    add_deltas(
        work,
        select(
            literal(work.content_types("structure", "customer"), Integer).label("content_type_id"),
            doomed.c.customer_id.label("object_id"),
            literal(PROJECT_COUNT, Text).label("name"),
            literal(-1, Integer).label("delta"),
        ),
    )


def _remote_deletions(work: Work, doomed: Table) -> Iterator[Handover]:
    for number in work.connection.scalars(select(doomed.c.project_id).order_by(doomed.c.project_id)):
        yield Handover(
            key=f"delete remote project {number} at {work.as_of.isoformat()}",
            task=DELETE_REMOTE_PROJECT,
            args=[f"structure.project:{number}"],
        )
