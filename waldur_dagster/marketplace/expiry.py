"""Jobs that end what is over: expired resources, and the resources of projects that have ended."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Text, and_, case, cast, exists, func, literal, or_, select

from waldur_dagster.marketplace.grace_pauses import ends_without_grace, pause_in_grace, release_from_grace
from waldur_dagster.marketplace.order_columns import approves_waiting
from waldur_dagster.marketplace.states import OrderState, OrderType, ResourceState
from waldur_dagster.marketplace.termination import terminate
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.structure.project_deletion import soft_delete_projects
from waldur_dagster.structure.project_ends import grace_days, has_grace, is_over
from waldur_dagster.work import Work

resource, offering, project = marketplace.resource, marketplace.offering, structure.project
order = marketplace.order
ENDABLE = (ResourceState.OK, ResourceState.ERRED)


def terminate_expired_resources(work: Work) -> int:
    """Order the end of the OK and erred resources whose own end date has come; returns how many.

    Resources of removed projects are ended too, and a resource's own end has no days of grace (spec marketplace,
    terminate_expired_resources).
    """
    comment = literal(f"Resource expired on {now(work)}", Text).label("comment")
    expired = select(resource.c.id, comment).where(resource.c.end_date <= work.today, _is_endable(work))
    return terminate(work, expired)


def end_projects(work: Work) -> int:
    """Delete the projects whose end date has come and that have nothing left; end what the others have left.

    Every resource that is not terminated keeps its project, but only OK and erred ones of offerings without a parent
    are ended: those of child offerings go with their parent (spec marketplace,
    terminate_resources_if_project_end_date_has_been_reached). Where the site's Waldur knows days of grace a project is
    over when they are; meanwhile its resources are paused, and those of offerings without grace are ended at once
    (newer_billing 4.2). Returns how many terminations were ordered.
    """
    pause_in_grace(work)
    release_from_grace(work)
    ended = and_(is_over(work), ~project.c.is_removed)
    left = exists().where(resource.c.project_id == project.c.id, resource.c.state != ResourceState.TERMINATED)
    soft_delete_projects(work, select(project.c.id.label("project_id")).where(ended, ~left).subquery("empty"))
    at_once = and_(project.c.end_date <= work.today, ~project.c.is_removed, ends_without_grace())
    remaining = (
        select(resource.c.id, _comment(work).label("comment"))
        .join(project, project.c.id == resource.c.project_id)
        .join(offering, offering.c.id == resource.c.offering_id)
        .where(or_(ended, at_once) if has_grace(work) else ended, _is_endable(work), offering.c.parent_id.is_(None))
    )
    return terminate(work, remaining)


def _is_endable(work: Work) -> ColumnElement[bool]:
    """OK and erred resources; on newer sites those that are ending already while their order waits for the customer."""
    endable = resource.c.state.in_(ENDABLE)
    if not approves_waiting(work):
        return endable
    waiting = exists().where(
        order.c.resource_id == resource.c.id,
        order.c.type == OrderType.TERMINATE,
        order.c.state == OrderState.PENDING_CONSUMER,
    )
    return or_(endable, and_(resource.c.state == ResourceState.TERMINATING, waiting))


def _comment(work: Work) -> ColumnElement[str]:
    """Why a resource ends, in Waldur's words."""
    plain = f"Project end date has been reached on {now(work)}"
    days = grace_days(work)
    with_grace = func.concat(
        "Project effective end date (including ",
        cast(days, Text),
        f" day grace period) has been reached on {now(work)}",
    )
    without = f"{plain}; grace period disabled for this offering."
    return case((days == 0, plain), (is_over(work), with_grace), else_=without)


def now(work: Work) -> str:
    """The instant of the run as comments tell it: local time of the site, without an offset."""
    return str(work.local_time.replace(tzinfo=None))
