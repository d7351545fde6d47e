"""Two jobs at once on the same rows: whether there is a moment at which each of them waits for the other.

The first job is stopped before one of its statements while the second one does all that it can; then the first goes on.
That is done for every statement of the first. Both are dry runs, so that the site is the same each time.
"""

from __future__ import annotations

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

# Statements that take locks; the others cannot make anybody wait.
LOCKING = re.compile(r"\s*(INSERT|UPDATE|DELETE|WITH)\b|FOR UPDATE", re.IGNORECASE)
TEMPORARY = re.compile(r"\s*(CREATE TEMPORARY|DROP TABLE|ANALYZE)", re.IGNORECASE)
WAITS = text("SELECT cardinality(pg_blocking_pids(:pid)) > 0")
LONGEST = 60.0


@dataclass(frozen=True)
class Job:
    """A step of a job under the name of its entry, as of an instant."""

    name: str
    do: Step
    as_of: datetime


@dataclass
class Meeting:
    """What came of one meeting: errors by job, and how many locking statements the first has come to."""

    problems: dict[str, Exception]
    statements: int


def meetings(deployment: Deployment, first: Job, second: Job, every: int = 1) -> Iterator[Meeting]:
    """Stop the first job at each of its locking statements, or at every third or tenth of them."""
    stop_at = 1
    while True:
        found = _meet(deployment, first, second, stop_at)
        yield found
        stop_at += every
        if stop_at > found.statements:
            return


def _meet(deployment: Deployment, first: Job, second: Job, stop_at: int) -> Meeting:
    found = Meeting({}, 0)
    other = threading.Thread(target=_run, args=(deployment, second, found), daemon=True)
    with Site(deployment, dry_run=True) as watcher:

        def before(connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
            if TEMPORARY.match(statement) or not LOCKING.search(statement):
                return
            found.statements += 1
            if found.statements == stop_at:
                other.start()
                _until_it_waits(watcher, other)

        _run(deployment, first, found, before)
        if other.ident is not None:
            other.join(LONGEST)
    return found


def _run(deployment: Deployment, job: Job, found: Meeting, before: Any = None) -> None:
    try:
        with Site(deployment, dry_run=True) as site, site.work(job.name, job.as_of) as work:
            threading.current_thread().name = str(work.connection.scalar(text("SELECT pg_backend_pid()")))
            with _listened(work.connection, before):
                job.do(work)
    except Exception as problem:
        found.problems[job.name] = problem


@contextmanager
def _listened(connection: Connection, before: Any) -> Iterator[None]:
    if before is None:
        yield
        return
    event.listen(connection, "before_cursor_execute", before)
    try:
        yield
    finally:
        event.remove(connection, "before_cursor_execute", before)


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
