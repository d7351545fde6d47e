"""Jobs that end what is over: expired resources, and the resources of projects that have ended."""

from __future__ import annotations

from sqlalchemy import exists, select

from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.marketplace.termination import terminate
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.structure.project_deletion import soft_delete_projects
from waldur_dagster.work import Work

resource, offering, project = marketplace.resource, marketplace.offering, structure.project
ENDABLE = (ResourceState.OK, ResourceState.ERRED)


def terminate_expired_resources(work: Work) -> int:
    """Order the end of the OK and erred resources whose own end date has come; returns how many.

    Resources of removed projects are ended too (spec marketplace, terminate_expired_resources).
    """
    expired = select(resource.c.id).where(resource.c.end_date <= work.today, resource.c.state.in_(ENDABLE))
    return terminate(work, expired, f"Resource expired on {now(work)}")


def end_projects(work: Work) -> int:
    """Delete the projects whose end date has come and that have nothing left; end what the others have left.

    Every resource that is not terminated keeps its project, but only OK and erred ones of offerings without a parent
    are ended: those of child offerings go with their parent (spec marketplace,
    terminate_resources_if_project_end_date_has_been_reached). Returns how many terminations were ordered.
    """
    is_over = (project.c.end_date <= work.today, ~project.c.is_removed)
    left = exists().where(resource.c.project_id == project.c.id, resource.c.state != ResourceState.TERMINATED)
    soft_delete_projects(work, select(project.c.id.label("project_id")).where(*is_over, ~left).subquery("empty"))
    remaining = (
        select(resource.c.id)
        .join(project, project.c.id == resource.c.project_id)
        .join(offering, offering.c.id == resource.c.offering_id)
        .where(*is_over, resource.c.state.in_(ENDABLE), offering.c.parent_id.is_(None))
    )
    return terminate(work, remaining, f"Project end date has been reached on {now(work)}")


def now(work: Work) -> str:
    """The instant of the run as comments tell it: local time of the site, without an offset."""
    return str(work.local_time.replace(tzinfo=None))
