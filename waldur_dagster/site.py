"""A run's hold on one Waldur site: connections, the lock of its entry, and units of work."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from waldur_dagster import commits, locks
from waldur_dagster.database.constance import Constance, settings_in_force
from waldur_dagster.database.encryption import Secrets
from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.deployment import Deployment
from waldur_dagster.outcome import Outcome
from waldur_dagster.passing_errors import in_short, is_lost, passes
from waldur_dagster.sessions import SiteUnreachable, make_engine, require_session, require_writable, unreachable
from waldur_dagster.settings import Settings
from waldur_dagster.words import keep_secret
from waldur_dagster.work import Work

__all__ = ["AlreadyRunning", "Site", "SiteUnreachable", "Transactions", "current_settings", "make_engine", "patiently"]

# How often a step is tried when a passing error of the database ends it, with pauses of about 1, 2, 4 and 8 seconds.
TRIES = 5
PAUSES = wait_exponential(multiplier=1, max=8) + wait_random(0, 1)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Transactions:
    """Opens the next transaction of a job that has many; ``log`` is the run's.

    In a dry run each is rolled back by itself, so that none stays open while something outside is waited for. ``do``
    is given what is done in one, and does it again from its beginning when a passing error has ended it (Site.do).
    """

    open: Callable[[], AbstractContextManager[Work]]
    dry_run: bool
    log: logging.Logger
    do: Callable[[Callable[[Work], None]], None]

    def __call__(self) -> AbstractContextManager[Work]:
        return self.open()


def patiently() -> Retrying:
    """Calls a function again, as often as a step is tried, while it ends with passing errors of the database."""
    return Retrying(stop=stop_after_attempt(TRIES), wait=PAUSES, retry=retry_if_exception(passes), reraise=True)


class AlreadyRunning(Exception):
    """Another run of the same entry is at work on this site's database."""


class Interrupted(Exception):
    """Passing errors of the database have ended a step, as often as it was tried; the text says what they were."""


def current_settings(engine: Engine, deployment: Deployment, schema: SiteSchema | None = None) -> Settings:
    """Waldur's settings that hold now: those of the deployment file, under those that are kept in the database."""
    schema = schema or SiteSchema(engine)
    with engine.connect() as connection:
        return settings_in_force(
            deployment, Constance(connection, schema, Secrets(connection, schema, deployment.encryption))
        )


class Site:
    """The site that a deployment points at, for the length of one run.

    All steps of a run share one ``Site``. It takes the advisory locks of its entry and of the run at the first step and
    keeps them, on the connection that does the work, until ``close``; when the process dies PostgreSQL frees them. In a
    dry run all steps share one transaction, so that each sees what the steps before it would have done, and ``close``
    rolls it back. ``present`` is when the run is made, where it works for another instant (see Work). ``at_end`` is
    done as the last thing of each unit of work, in its transaction.
    """

    def __init__(
        self,
        deployment: Deployment,
        *,
        dry_run: bool = False,
        run_id: str = "",
        present: datetime | None = None,
        at_end: Callable[[Work], None] = lambda _: None,
    ):
        self.deployment = deployment
        self.dry_run = dry_run
        self.run_id = run_id
        self.present = present
        self.at_end = at_end
        keep_secret(*deployment.secrets)
        self.engine = make_engine(deployment.database)
        self.outcome = Outcome()
        self._connection: Connection | None = None
        self._process = 0
        self._locked: set[str] = set()
        self._begun = False

    @cached_property
    def schema(self) -> SiteSchema:
        return SiteSchema(self.engine)

    @cached_property
    def settings(self) -> Settings:
        """Waldur's settings that hold on this site, as they are when they are first asked for."""
        return current_settings(self.engine, self.deployment, self.schema)

    def transactions(self, entry: str, as_of: datetime, log: logging.Logger | None = None) -> Transactions:
        """As ``work``, for a step of many units of work that do not depend on each other."""
        told = log or logging.getLogger(entry)

        def do(function: Callable[[Work], None]) -> None:
            self.do(entry, as_of, function, told.warning, alone=True)

        return Transactions(lambda: self.work(entry, as_of, alone=True), self.dry_run, told, do)

    def do(
        self,
        entry: str,
        as_of: datetime,
        function: Callable[[Work], Result],
        note: Callable[[str], None] = lambda _: None,
        *,
        alone: bool = False,
    ) -> tuple[Result, Outcome]:
        """One step: ``function`` in a transaction, again from its beginning when a passing error has ended it.

        ``note`` is told of every try that failed; what such a try has counted and found is forgotten. Returns what the
        function returns, and what it did. Raises what ``work`` raises, and Interrupted when the last try fails so too:
        in a dry run, which is one transaction over all its steps, that is the first, unless they are ``alone``.
        """
        most = 1 if self.dry_run and not alone else TRIES

        def attempt() -> tuple[Result, Outcome]:
            with self.work(entry, as_of, alone=alone) as work:
                work.is_last_try = tries.statistics["attempt_number"] == most
                return function(work), work.outcome

        def tell(state: RetryCallState) -> None:
            problem = state.outcome.exception() if state.outcome else None
            note(f"{in_short(problem)}; the step is tried again (try {state.attempt_number + 1} of {most})")

        tries = Retrying(
            stop=stop_after_attempt(most),
            wait=PAUSES,
            retry=retry_if_exception(self._is_worth_a_try),
            before_sleep=tell,
            reraise=True,
        )
        try:
            return tries(attempt)
        except Exception as problem:
            if not self._is_worth_a_try(problem):
                raise
            rest = (
                "a dry run is one transaction over all its steps, which is lost; start it again"
                if most == 1
                else f"tried {most} times; nothing of this step is done"
            )
            raise Interrupted(f"{in_short(problem)}; {rest}.") from None

    def _is_worth_a_try(self, problem: BaseException) -> bool:
        """A lock or a database that this run has had before, and that it does not get at once, are so too."""
        return passes(problem) or (self._begun and isinstance(problem, AlreadyRunning | SiteUnreachable))

    @contextmanager
    def work(self, entry: str, as_of: datetime, *, alone: bool = False) -> Iterator[Work]:
        """One transaction for one step of ``entry``; committed at the end, unless this is a dry run.

        ``alone``: a dry run does not keep it for the steps that follow. Raises AlreadyRunning when another run has the
        entry, SiteUnreachable when the database does not answer.
        """
        connection = self.hold(entry)
        with self._transaction(connection, entry, alone):
            present = self.present or as_of
            work = Work(connection, self.deployment, self.schema, entry, as_of, present, self.dry_run, self.run_id)
            work.earlier = self.outcome
            yield work
            self.at_end(work)
        self.outcome.add(work.outcome)

    @contextmanager
    def _transaction(self, connection: Connection, entry: str, alone: bool) -> Iterator[None]:
        if not self.dry_run:
            with self._committed(connection, entry):
                yield
        elif alone:
            transaction = connection.begin_nested() if connection.in_transaction() else connection.begin()
            try:
                yield
            finally:
                transaction.rollback()
        else:
            if not connection.in_transaction():
                connection.begin()
            with connection.begin_nested():
                yield

    @contextmanager
    def _committed(self, connection: Connection, entry: str) -> Iterator[None]:
        """A transaction; when the connection is lost with its COMMIT, the database is asked what became of it."""
        with connection.begin() as transaction:
            yield
            mark = commits.mark(connection, entry)
            try:
                transaction.commit()
            except DBAPIError as problem:
                transaction.rollback()  # SQLAlchemy would have the connection begin no other
                if mark is None or not is_lost(problem) or not self._was_committed(entry, mark):
                    raise

    def _was_committed(self, entry: str, mark: UUID) -> bool:
        """Whether a transaction of a lost connection was committed; False as well when nobody can say for long."""

        def ask() -> bool:
            with self.engine.begin() as connection:
                return commits.is_committed(connection, entry, mark)

        try:
            return patiently()(ask)
        except OperationalError:
            return False

    def check(self) -> None:
        """Raises SiteUnreachable when the database does not answer, or takes no changes."""
        self._ready_connection()

    def hold(self, entry: str) -> Connection:
        """Take the lock of an entry for the rest of the run; returns its connection. Raises AlreadyRunning."""
        connection = self._ready_connection()
        if entry in self._locked:
            return connection
        with _aside(connection):
            taken = locks.try_lock(connection, locks.ENTRIES, entry)
            if taken and self.run_id and not self._locked:
                locks.try_lock(connection, locks.RUNS, self.run_id)
        if not taken:
            raise AlreadyRunning(f"{entry} is being done by another run on this database; this one does nothing.")
        self._locked.add(entry)
        self._begun = True
        return connection

    def at_work(self, runs: Iterable[str]) -> set[str]:
        """Those of the runs that hold their lock on this database, whatever Dagster knows of them."""
        connection = self._ready_connection()
        with _aside(connection):
            return locks.held(connection, locks.RUNS, runs)

    def close(self) -> None:
        """Roll back a dry run, free the locks, disconnect: the next run of the same entry may begin."""
        if self._connection is not None:
            with suppress(DBAPIError):  # a connection that was lost has no locks
                self._connection.rollback()
                locks.release_all(self._connection)
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
        if connection.invalidated:
            connection.close()
            return False
        try:
            with _aside(connection):
                process = connection.scalar(text("SELECT pg_backend_pid()"))
        except OperationalError:
            connection.invalidate()
            connection.close()
            return False
        if process != self._process:  # SQLAlchemy connects anew by itself after an error, and the locks are gone
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
            connection: Connection = attempts(self.engine.connect)
            self._process = require_session(self.engine, connection, self.deployment.database)
            require_writable(self.engine, connection)
        except OperationalError as error:
            raise unreachable(self.engine, error) from None
        return connection


@contextmanager
def _aside(connection: Connection) -> Iterator[None]:
    """Ask something beside the work: a transaction that was not open stays so. Locks of the session survive this."""
    inside = connection.in_transaction()
    yield
    if not inside:
        connection.rollback()
