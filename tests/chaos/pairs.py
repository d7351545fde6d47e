"""Two jobs at once on the same rows: whether there is a moment at which each of them waits for the other.

The first job is stopped after one of its statements while the second one does all that it can; then the first goes on.
That is done for every statement of the first that has locked rows. Both are dry runs: the site is the same each time.
"""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, event, text

from tests.chaos.steps import Step
from waldur_dagster.deployment import Deployment
from waldur_dagster.site import Site

LOCKING = re.compile(r"\b(UPDATE|DELETE|ON CONFLICT)\b")
WAITS = text("SELECT cardinality(pg_blocking_pids(:pid)) > 0")
LONGEST = 60.0
_NUMBERS = itertools.count()


@dataclass(frozen=True)
class Job:
    """A step of a job under the name of its entry, as of an instant."""

    name: str
    do: Step
    as_of: datetime


@dataclass
class Meeting:
    """What came of one meeting: errors by job, and how many statements of the first have locked rows."""

    problems: dict[str, Exception]
    statements: int


def meetings(
    deployment: Deployment, first: Job, second: Job, every: int = 1, tables: frozenset[str] = frozenset()
) -> Iterator[Meeting]:
    """Stop the first job after each of the statements by which it locks rows, or every third or tenth of them.

    ``tables``: only after those that name one of these.
    """
    stop_at = 1
    while True:
        found = _meet(deployment, first, second, stop_at, tables)
        yield found
        stop_at += every
        if stop_at > found.statements:
            return


def _meet(deployment: Deployment, first: Job, second: Job, stop_at: int, tables: frozenset[str]) -> Meeting:
    found = Meeting({}, 0)
    other = threading.Thread(target=_run, args=(deployment, second, found), daemon=True)
    with Site(deployment, dry_run=True) as watcher:

        def after(connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
            if cursor.rowcount <= 0 or not LOCKING.search(statement):
                return
            if tables and not any(table in statement for table in tables):
                return
            found.statements += 1
            if found.statements == stop_at:
                other.start()
                _until_it_waits(watcher, other)

        _run(deployment, first, found, after)
        if other.ident is not None:
            other.join(LONGEST)
    return found


def _run(deployment: Deployment, job: Job, found: Meeting, after: Any = None) -> None:
    try:
        # PostgreSQL may free the lock of the entry a moment after the last meeting, so each has one of its own.
        entry = f"{job.name} {next(_NUMBERS)}"
        with Site(deployment, dry_run=True) as site, site.work(entry, job.as_of) as work:
            threading.current_thread().name = str(work.connection.scalar(text("SELECT pg_backend_pid()")))
            with _listened(work.connection, after):
                job.do(work)
    except Exception as problem:
        found.problems[job.name] = problem


@contextmanager
def _listened(connection: Connection, after: Any) -> Iterator[None]:
    if after is None:
        yield
        return
    event.listen(connection, "after_cursor_execute", after)
    try:
        yield
    finally:
        event.remove(connection, "after_cursor_execute", after)


def _until_it_waits(watcher: Site, thread: threading.Thread) -> None:
    """Until the other job has ended, or stands before a lock that somebody has."""
    end = time.monotonic() + LONGEST
    with watcher.engine.connect() as connection:
        while thread.is_alive() and time.monotonic() < end:
            with suppress(ValueError):
                if connection.scalar(WAITS, {"pid": int(thread.name)}):
                    return
            connection.rollback()
            time.sleep(0.01)
