"""Resources that are being provisioned for too long become erred (spec core, structure-set-erred-stuck-resources)."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, and_, select

from waldur_dagster.marketplace.plugin_coupling import follow_plugins
from waldur_dagster.platform.plugin_events import log_plugin_events
from waldur_dagster.platform.plugin_resources import CREATING, CREATION_SCHEDULED, ERRED, PluginResource
from waldur_dagster.platform.plugin_states import lock_in_marketplace, no_changes, set_state, typed_tables
from waldur_dagster.work import Work

PATIENCE = timedelta(hours=3)
MESSAGE = "Provisioning has timed out."


def set_stuck_resources_erred(work: Work) -> int:
    """Give up resources whose creation was scheduled or begun, and not touched since, more than 3 hours ago.

    Every plugin's table that the site has is looked at. A row that somebody else is writing is left to the next run.
    Returns the number of resources that are erred now. Statements: bounded by the number of tables.
    """
    stuck = no_changes(work, "stuck")
    chosen = [(plugin, content_type, _too_long(work, plugin)) for plugin, content_type in typed_tables(work)]
    lock_in_marketplace(work, chosen)
    found = 0
    for plugin, content_type, too_long in chosen:
        found += set_state(work, plugin, content_type, ERRED, where=too_long, changes=stuck, error_message=MESSAGE)
    if found:
        begun = select(stuck).where(stuck.c.old_state == CREATING).subquery("begun")
        log_plugin_events(
            work, begun, event_type="resource_creation_failed", message="Resource {name} creation has failed."
        )
        follow_plugins(work, stuck)
    return found


def _too_long(work: Work, plugin: PluginResource) -> ColumnElement[bool]:
    table = plugin.table
    return and_(table.c.state.in_([CREATION_SCHEDULED, CREATING]), table.c.modified < work.as_of - PATIENCE)
