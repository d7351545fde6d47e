"""Resources that are being provisioned for too long become erred (spec core, structure-set-erred-stuck-resources)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Integer, Select, Table, cast, false, insert, literal, null, select, update

from waldur_dagster.marketplace.plugin_coupling import follow_plugins
from waldur_dagster.platform import plugin_resources
from waldur_dagster.platform.plugin_events import log_plugin_events
from waldur_dagster.platform.plugin_resources import CREATING, CREATION_SCHEDULED, ERRED, PluginResource
from waldur_dagster.platform.temporary import temporary_table
from waldur_dagster.work import Work

PATIENCE = timedelta(hours=3)
MESSAGE = "Provisioning has timed out."


def set_stuck_resources_erred(work: Work) -> int:
    """Give up resources whose creation was scheduled or begun, and not touched since, more than 3 hours ago.

    Every plugin's table that the site has is looked at. A row that somebody else is writing is left to the next run.
    Returns the number of resources that are erred now. Statements: bounded by the number of tables.
    """
    names = ("content_type_id", "object_id", "old_state", "new_state")
    nothing: Select[Any] = select(*(cast(null(), Integer).label(name) for name in names)).where(false())
    stuck = temporary_table(work, "stuck", nothing)
    found = sum(_set_erred(work, plugin, stuck) for plugin in plugin_resources.existing(work))
    if found:
        begun = select(stuck).where(stuck.c.old_state == CREATING).subquery("begun")
        log_plugin_events(
            work, begun, event_type="resource_creation_failed", message="Resource {name} creation has failed."
        )
        follow_plugins(work, stuck)
    return found


def _set_erred(work: Work, plugin: PluginResource, stuck: Table) -> int:
    """Write one table, and keep in ``stuck`` which of its rows changed."""
    content_type = work.content_types.get(plugin.app_label, plugin.model)
    if content_type is None:
        work.outcome.warn(plugin.table.name, "has no content type on this site; its rows are left alone")
        return 0
    table = plugin.table
    chosen = (
        select(table.c.id, table.c.state)
        .where(table.c.state.in_([CREATION_SCHEDULED, CREATING]), table.c.modified < work.as_of - PATIENCE)
        .with_for_update(skip_locked=True)
        .cte("chosen")
    )
    written = (
        update(table)
        .values(state=ERRED, error_message=MESSAGE, modified=work.as_of)
        .where(table.c.id == chosen.c.id)
        .returning(
            literal(content_type, Integer).label("content_type_id"),
            table.c.id.label("object_id"),
            chosen.c.state.label("old_state"),
            literal(ERRED, Integer).label("new_state"),
        )
        .cte("written")
    )
    kept = work.connection.execute(insert(stuck).from_select([c.name for c in stuck.c], select(*written.c)))
    work.outcome.changed(table.name, "updated", kept.rowcount)
    return kept.rowcount
