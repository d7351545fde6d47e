"""Projects that are over and lose their last live resource are deleted at once (spec marketplace 0.5)."""

from __future__ import annotations

from sqlalchemy import FromClause, exists, select

from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.structure.project_deletion import soft_delete_projects
from waldur_dagster.work import Work

resource, project = marketplace.resource, structure.project
# Erred resources do not keep a project here, though they do in the job that looks at projects themselves.
DEAD = (ResourceState.ERRED, ResourceState.TERMINATED)


def delete_emptied_projects(work: Work, changed: FromClause) -> None:
    """Delete the projects, past their end date, whose last live resource is among ``changed``.

    ``changed`` has the columns resource_id, old_state and new_state, as ``change_resources`` returns them.
    """
    other = resource.alias("other")
    terminated = (changed.c.new_state == ResourceState.TERMINATED) & (changed.c.old_state != ResourceState.TERMINATED)
    alive = exists().where(other.c.project_id == project.c.id, other.c.state.not_in(DEAD))
    emptied = (
        select(project.c.id.label("project_id"))
        .distinct()
        .select_from(changed)
        .join(resource, resource.c.id == changed.c.resource_id)
        .join(project, project.c.id == resource.c.project_id)
        .where(terminated, project.c.end_date <= work.today, ~project.c.is_removed, ~alive)
    )
    soft_delete_projects(work, emptied.subquery("emptied"))
