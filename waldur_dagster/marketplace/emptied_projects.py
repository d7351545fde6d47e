"""Projects whose time is over go with their last resource (spec marketplace 0.5)."""

from __future__ import annotations

from sqlalchemy import Table, exists, func, select

from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.structure.project_deletion import soft_delete_projects
from waldur_dagster.structure.project_ends import is_over
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

resource, project = marketplace.resource, structure.project
OVER = (ResourceState.ERRED, ResourceState.TERMINATED)


def delete_emptied(work: Work, changed: Table) -> None:
    """Soft-delete projects of resources that have come to Terminated (resource_id, old_state, new_state).

    Only those whose end date has come, and that have no resource but erred and terminated ones.
    """
    living = exists().where(resource.c.project_id == project.c.id, resource.c.state.not_in(OVER))
    ended = (
        select(resource.c.project_id)
        .join(changed, changed.c.resource_id == resource.c.id)
        .where(changed.c.new_state == ResourceState.TERMINATED, changed.c.old_state != ResourceState.TERMINATED)
    )
    emptied = temporary_table(
        work,
        "emptied_project",
        select(project.c.id.label("project_id")).where(
            project.c.id.in_(ended), is_over(work), ~project.c.is_removed, ~living
        ),
    )
    if work.connection.scalar(select(func.count()).select_from(emptied)):
        soft_delete_projects(work, emptied)
