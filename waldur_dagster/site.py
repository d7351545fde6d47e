"""A run's hold on one Waldur site: connections, the lock of its entry, and units of work."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import OperationalError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from waldur_dagster.deployment import Database, Deployment
from waldur_dagster.outcome import Outcome
from waldur_dagster.platform.constance import Constance, settings_in_force
from waldur_dagster.platform.encryption import Secrets
from waldur_dagster.platform.site_schema import SiteSchema
from waldur_dagster.settings import Settings
from waldur_dagster.work import Work

# The first half of the pair that PostgreSQL's advisory locks take; the second is made of the entry's name.
LOCK_SPACE = 0x57414C44


# Opens the next transaction of a job that has many.
Transactions = Callable[[], AbstractContextManager[Work]]


class AlreadyRunning(Exception):
    """Another run of the same entry is at work on this site's database."""


class SiteUnreachable(Exception):
    """The site's database does not answer; the text names the address, never the password."""


def make_engine(database: Database) -> Engine:
    """An engine for short runs: nothing is pooled, sessions think in UTC and obey the deployment's limits.

    Limits of the server's own on idle sessions and on whole transactions do not hold for them.
    """
    limits = f"-c statement_timeout={database.statement_timeout}s -c lock_timeout={database.lock_timeout}s"
    engine = create_engine(
        database.sqlalchemy_url,
        poolclass=NullPool,
        connect_args={
            "options": f"-c timezone=UTC -c application_name=waldur-dagster {limits}",
            "connect_timeout": database.connect_timeout,
        },
    )
    event.listen(engine, "connect", _lift_limits)
    return engine


def _lift_limits(connection: Any, _: Any) -> None:
    """Older servers do not know all of these settings, and refuse to set what they do not know."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN "
            "('idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout')"
        )
    connection.commit()


def current_settings(engine: Engine, deployment: Deployment, schema: SiteSchema | None = None) -> Settings:
    """Waldur's settings that hold now: those of the deployment file, under those that are kept in the database."""
    schema = schema or SiteSchema(engine)
    with engine.connect() as connection:
        return settings_in_force(
            deployment, Constance(connection, schema, Secrets(connection, schema, deployment.encryption))
        )


class Site:
    """The site that a deployment points at, for the length of one run.

    All steps of a run share one ``Site``. It takes the advisory lock of its entry at the first step and keeps it, on
    the connection that does the work, until ``close``; when the process dies PostgreSQL frees it at once. In a dry run
    all steps share one transaction, so that each sees what the steps before it would have done, and ``close`` rolls
    it back. ``present`` is when the run is made, where it works for another instant (see Work).
    """

    def __init__(
        self, deployment: Deployment, *, dry_run: bool = False, run_id: str = "", present: datetime | None = None
    ):
        self.deployment = deployment
        self.dry_run = dry_run
        self.run_id = run_id
        self.present = present
        self.engine = make_engine(deployment.database)
        self.outcome = Outcome()
        self._connection: Connection | None = None
        self._locked: set[str] = set()

    @cached_property
    def schema(self) -> SiteSchema:
        return SiteSchema(self.engine)

    @cached_property
    def settings(self) -> Settings:
        """Waldur's settings that hold on this site, as they are when they are first asked for."""
        return current_settings(self.engine, self.deployment, self.schema)

    @contextmanager
    def work(self, entry: str, as_of: datetime) -> Iterator[Work]:
        """One transaction for one step of ``entry``; committed at the end, unless this is a dry run.

        Raises AlreadyRunning when another run has the entry, SiteUnreachable when the database does not answer.
        """
        self.hold(entry)
        connection = self._ready_connection()
        with connection.begin_nested() if self.dry_run else connection.begin():
            present = self.present or as_of
            work = Work(connection, self.deployment, self.schema, entry, as_of, present, self.dry_run, self.run_id)
            yield work
        self.outcome.add(work.outcome)

    def check(self) -> None:
        """Raises SiteUnreachable when the database does not answer."""
        self._ready_connection()

    def hold(self, entry: str) -> None:
        """Take the lock of an entry for the rest of the run. Raises AlreadyRunning."""
        connection = self._ready_connection()
        if entry in self._locked:
            return
        key = zlib.crc32(entry.encode()) - 2**31
        taken = connection.scalar(text("SELECT pg_try_advisory_lock(:space, :key)"), {"space": LOCK_SPACE, "key": key})
        if not self.dry_run:
            connection.commit()
        if not taken:
            raise AlreadyRunning(f"{entry} is being done by another run on this database; this one does nothing.")
        self._locked.add(entry)

    def close(self) -> None:
        """Free the lock, roll back a dry run, disconnect."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._locked.clear()
        self.engine.dispose()

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ready_connection(self) -> Connection:
        """The run's connection, made anew when it was dropped between two steps."""
        if self._connection is not None and not self._answers(self._connection):
            lost, self._connection, self._locked = self._locked, None, set()
            if self.dry_run:
                raise SiteUnreachable("The connection was lost, and with it the dry run's transaction; start it again.")
            self._connection = self._connect()
            for entry in lost:
                self.hold(entry)
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _answers(self, connection: Connection) -> bool:
        try:
            connection.execute(text("SELECT 1"))
            if not self.dry_run:
                connection.rollback()
        except OperationalError:
            connection.invalidate()
            connection.close()
            return False
        return True

    def _connect(self) -> Connection:
        attempts = Retrying(
            stop=stop_after_attempt(4),
            wait=wait_exponential(multiplier=0.5, max=5),
            retry=retry_if_exception_type(OperationalError),
            reraise=True,
        )
        try:
            return attempts(self.engine.connect)
        except OperationalError as error:
            address = self.engine.url.render_as_string(hide_password=True)
            raise SiteUnreachable(f"No connection to {address}: {str(error.orig).strip()}") from None
