"""Resources that stay in Updating although their task has ended (spec core, core-reset-updating-resources)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, Row, Text, and_, literal, select, tuple_, union_all

from waldur_dagster.clients.task_results import FINISHED, UNKNOWN, ResultStoreUnusable, open_store
from waldur_dagster.deployment_sections import Celery
from waldur_dagster.marketplace.plugin_coupling import follow_plugins
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.platform.plugin_resources import OK, UPDATING, PluginResource
from waldur_dagster.platform.plugin_states import lock_in_marketplace, no_changes, set_state, typed_tables
from waldur_dagster.site import Transactions
from waldur_dagster.work import Work

SUCCESS = "SUCCESS"
NO_STORE = "no store of Celery's results is configured ([celery] result_store_url)"

Tables = Sequence[tuple[PluginResource, int]]


def reset_updating_resources(transaction: Transactions) -> int:
    """Set resources whose task is no longer running from Updating to OK; returns how many.

    The tasks' states come from the result store of Waldur's Celery workers, which is waited for while no transaction is
    open. A task that failed or was revoked frees its resource too, with a warning; another warning tells of resources
    whose task is unknown and that changed last before the time that the store remembers: nothing will free them.
    Raises ResultStoreUnusable, before anything is written. Statements: bounded by the number of tables.
    """
    with transaction() as work:
        waiting, celery = _waiting(work, _tables(work)), work.deployment.celery
    states, remembered = _states(celery, {row.task_id for row in waiting if row.task_id})
    with transaction() as work:
        changes = no_changes(work, "freed")
        ended = [row for row in waiting if states.get(row.task_id) in FINISHED]
        kinds = {row.content_type_id for row in ended}
        tables = _tables(work) if ended else []
        chosen = [(plugin, kind, _has_ended(plugin, kind, ended)) for plugin, kind in tables if kind in kinds]
        lock_in_marketplace(work, chosen)
        freed = sum(set_state(work, *one[:2], OK, where=one[2], changes=changes, task_id=None) for one in chosen)
        if freed:
            follow_plugins(work, changes)
        _report(work, waiting, states, remembered)
    return freed


def _tables(work: Work) -> Tables:
    return [(plugin, kind) for plugin, kind in typed_tables(work) if "task_id" in plugin.table.c]


def _waiting(work: Work, tables: Tables) -> list[Row[Any]]:
    """The resources that are updated by a task, in whatever table."""
    parts = [
        select(
            literal(kind, Integer).label("content_type_id"),
            literal(plugin.type, Text).label("type"),
            plugin.table.c.id.label("object_id"),
            plugin.table.c.name,
            plugin.table.c.uuid,
            plugin.table.c.task_id,
            plugin.table.c.modified,
        ).where(plugin.table.c.state == UPDATING, plugin.table.c.task_id.is_not(None))
        for plugin, kind in tables
    ]
    return list(work.connection.execute(union_all(*parts))) if parts else []


def _states(celery: Celery | None, task_ids: set[str]) -> tuple[dict[str, str], timedelta]:
    """The states of the tasks, and how long their store remembers them."""
    if celery is None or celery.result_store_url is None:
        raise ResultStoreUnusable(NO_STORE)
    with closing(open_store(celery.result_store_url)) as store:
        return store.states(task_ids), store.remembers


def _has_ended(plugin: PluginResource, kind: int, ended: Sequence[Row[Any]]) -> ColumnElement[bool]:
    """A row that a worker has written meanwhile, or started another task on, stays as it is."""
    table = plugin.table
    rows = [{"object_id": row.object_id, "task_id": row.task_id} for row in ended if row.content_type_id == kind]
    given = given_rows(rows, object_id=Integer, task_id=Text)
    same = tuple_(table.c.id, table.c.task_id).in_(select(given.c.object_id, given.c.task_id))
    return and_(table.c.state == UPDATING, same)


def _report(work: Work, waiting: Sequence[Row[Any]], states: dict[str, str], remembered: timedelta) -> None:
    for row in waiting:
        item, state = f"{row.type} {row.name} ({row.uuid.hex})", states.get(row.task_id, UNKNOWN)
        if state in FINISHED - {SUCCESS}:
            work.outcome.warn(item, f"is OK again although its task ended as {state}; look whether it is as it should")
        elif state == UNKNOWN and row.modified < work.as_of - remembered:
            work.outcome.warn(item, f"is updating since {row.modified:%Y-%m-%d %H:%M} by a task that Celery knows not")
