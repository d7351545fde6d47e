"""How long Dagster's history and report files are kept: old runs, their events, ticks and files are removed.

What shows that an asset or partition is there stays: materializations, observations and the results of checks. All the
rest of a run's events goes with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.event_log.base import EventLogStorage
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as EventsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage
from dagster._core.storage.runs.schema import RunsTable, RunTagsTable
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from dagster._core.storage.schedules.schema import JobTickTable as TicksTable
from dagster._core.storage.schedules.sql_schedule_storage import SqlScheduleStorage
from sqlalchemy import Select, Table, delete, select

from waldur_dagster.deployment_sections import Retention

BATCH = 1000  # runs in one transaction
KEPT_EVENTS = (
    "ASSET_MATERIALIZATION",
    "ASSET_OBSERVATION",
    "ASSET_CHECK_EVALUATION",
    "ASSET_CHECK_EVALUATION_PLANNED",
)
KEPT_SUFFIXES = {".parquet", ".png"}


class NoSqlStorage(Exception):
    """The instance keeps its history in a storage that this program does not know."""


def forget_history(
    instance: dg.DagsterInstance, options: Retention, now: datetime, tell: Callable[[str], Any]
) -> dict[str, int]:
    """Remove what is older than the options say, in batches; returns how much of each kind. Raises NoSqlStorage.

    Only runs that have ended are removed. A batch is one transaction in each storage, events first: what an
    interruption leaves behind is found by the next time. Where each run has a file of events of its own (SQLite), runs
    that made assets stay.
    """
    removed = {"runs": 0, "events": 0, "ticks": 0}
    runs, events = instance.run_storage, instance.event_log_storage
    if not isinstance(runs, SqlRunStorage) or not isinstance(instance.schedule_storage, SqlScheduleStorage):
        raise NoSqlStorage(f"{type(runs).__name__} is not in SQL; remove old runs as its makers say")
    if options.runs_days:
        for batch in _old_runs(runs, now - timedelta(days=options.runs_days)):
            removed["events"] += _forget_events(events, instance, batch)
            removed["runs"] += _forget_runs(runs, batch)
            tell(f"{removed['runs']} runs removed")
    if options.ticks_days:
        removed["ticks"] = _forget_ticks(instance.schedule_storage, now - timedelta(days=options.ticks_days))
    return removed


def _old_runs(storage: SqlRunStorage, before: datetime) -> Iterator[list[str]]:
    """The runs that ended before an instant, oldest first; each batch is found once the one before is gone."""
    ended = [status.value for status in FINISHED_STATUSES]
    old = select(RunsTable.c.id, RunsTable.c.run_id).where(
        RunsTable.c.status.in_(ended), RunsTable.c.update_timestamp < before.replace(tzinfo=None)
    )
    last = 0
    while True:
        with storage.connect() as connection:
            rows = connection.execute(old.where(RunsTable.c.id > last).order_by(RunsTable.c.id).limit(BATCH)).all()
        if not rows:
            return
        last = rows[-1].id
        yield [row.run_id for row in rows]


def _forget_events(storage: EventLogStorage, instance: dg.DagsterInstance, runs: list[str]) -> int:
    if isinstance(storage, SqliteEventLogStorage):
        for run_id in list(runs):
            made = any(instance.all_logs(run_id, of_type=dg.DagsterEventType(kind)) for kind in KEPT_EVENTS)
            if made:
                runs.remove(run_id)
            else:
                storage.delete_events(run_id)
        return 0
    if not isinstance(storage, SqlEventLogStorage):
        raise NoSqlStorage(f"{type(storage).__name__} is not in SQL; remove old events as its makers say")
    kept = EventsTable.c.dagster_event_type.in_(KEPT_EVENTS)
    with storage.index_connection() as connection:
        gone = delete(EventsTable).where(
            EventsTable.c.run_id.in_(runs), EventsTable.c.dagster_event_type.is_(None) | ~kept
        )
        return int(connection.execute(gone).rowcount)


def _forget_runs(storage: SqlRunStorage, runs: list[str]) -> int:
    with storage.connect() as connection:
        connection.execute(delete(RunTagsTable).where(RunTagsTable.c.run_id.in_(runs)))
        return int(connection.execute(delete(RunsTable).where(RunsTable.c.run_id.in_(runs))).rowcount)


def _forget_ticks(storage: SqlScheduleStorage, before: datetime) -> int:
    removed, old = 0, _batch(TicksTable, TicksTable.c.timestamp < before.replace(tzinfo=None))
    while True:
        with storage.connect() as connection:
            count = int(connection.execute(delete(TicksTable).where(TicksTable.c.id.in_(old))).rowcount)
        removed += count
        if count < BATCH:
            return removed


def _batch(table: Table, condition: Any) -> Select[tuple[int]]:
    return select(table.c.id).where(condition).order_by(table.c.id).limit(BATCH)


def forget_reports(folder: Path, days: int) -> int:
    """Remove the tables and plots of reports that were written more than so many days ago; 0 keeps them all."""
    if not days or not folder.is_dir():
        return 0
    before, removed = time.time() - days * 86400, 0
    for file in folder.rglob("*"):
        if file.suffix in KEPT_SUFFIXES and file.is_file() and file.stat().st_mtime < before:
            file.unlink(missing_ok=True)
            removed += 1
    return removed
