"""Claims: who is sending which message, until when, and the notes of what became of it.

Each note is a short transaction of its own; none is open while an outside system is waited for, and no row stays
locked. A claim holds as long as its process lives, which an advisory lock on the database tells, and no longer than
the sender may take. What is left of a claim after that is a message of unknown fate.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Self, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    case,
    delete,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import InterfaceError, OperationalError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from waldur_dagster.outbox.messages import Message, payload_of
from waldur_dagster.outbox.tables import DELIVERED, GIVEN_UP, PERHAPS, SENDING, WAITING, message, system
from waldur_dagster.words import without

FIRST_PAUSE, LONGEST_PAUSE, MOST_ATTEMPTS = timedelta(minutes=1), timedelta(hours=6), 20
LONGEST_PAUSE_OF_SYSTEM = timedelta(minutes=30)
# A message of unknown fate is tried again after each of these.
UNKNOWN_PAUSES = (timedelta(hours=1), timedelta(hours=6))
# Users' web hooks that are down for longer get nothing of what waited.
PATIENCE_WITH_WEB_HOOKS = timedelta(days=3)
# For messages that have no place in a system that is there.
PAUSE_WITHOUT_PLACE = timedelta(minutes=5)
# Added to the time that a sender takes at most.
MARGIN = timedelta(minutes=1)
LOCK_SPACE = 0x57414C44 + 1
LOST = "the process that was sending it has ended"

T = TypeVar("T")

_IS_GONE = text(
    "NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND classid = :space AND objid = claim_lock"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
).bindparams(space=LOCK_SPACE)
# A claim whose time is over, or whose process is gone.
IS_OVER = or_(message.c.claimed_until < func.now(), _IS_GONE)


class Claimant:
    """One process, or thread, that sends messages: its connection, kept through outages, and its lock. A context
    manager."""

    def __init__(self, engine: Engine):
        self.name = f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(4)}"
        self._engine = engine
        self._connection: Connection | None = None
        self._lock = 0

    def transaction(self, do: Callable[[Connection], T]) -> T:
        """Do something in a transaction; done again, on a new connection, when the database was away for a moment."""
        attempts = Retrying(
            stop=stop_after_attempt(10),  # about a minute, in which a server restarts
            wait=wait_exponential(multiplier=0.2, max=20),
            retry=retry_if_exception_type((OperationalError, InterfaceError)),
            reraise=True,
        )
        return attempts(self._once, do)

    def _once(self, do: Callable[[Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
                self._lock = secrets.randbelow(2**31)
                with self._connection.begin():
                    locks = {"space": LOCK_SPACE, "lock": self._lock}
                    self._connection.execute(text("SELECT pg_advisory_lock(:space, :lock)"), locks)
            with self._connection.begin():
                return do(self._connection)
        except (OperationalError, InterfaceError):
            self.close()
            raise

    def claim(self, message_id: int, seconds: float, due: ColumnElement[bool]) -> Row[Any] | None:
        """Take a message and count the attempt; None when somebody else has it."""
        mine = (message.c.state == SENDING) & (message.c.claimed_by == self.name)  # the commit's answer was lost
        free = select(message.c.id).where(message.c.id == message_id, or_(due, mine)).with_for_update(skip_locked=True)
        values = {
            "state": SENDING,
            "attempts": message.c.attempts + 1,
            "claimed_by": self.name,
            "claimed_until": func.now() + timedelta(seconds=seconds) + MARGIN,
        }

        def take(connection: Connection) -> Row[Any] | None:
            statement = update(message).where(message.c.id == free.scalar_subquery())
            statement = statement.values(**values, claim_lock=self._lock)
            return connection.execute(statement.returning(message)).one_or_none()

        return self.transaction(take)

    def note_delivered(self, row: Row[Any], remark: str | None) -> None:
        """The system has taken it: that holds whatever was said of the message meanwhile."""
        values = {"state": DELIVERED, "finished": func.now(), "last_error": remark and without(remark)}
        if row.payload.get("confidential"):
            values["payload"] = row.payload | {"body": "(confidential: not kept)", "html": None}
        self._note(row, values)

    def note_refused(self, row: Row[Any], reason: str) -> None:
        self._note(row, _over(GIVEN_UP, reason), message.c.state == SENDING)

    def note_postponed(self, row: Row[Any], reason: str, rest: Message | None) -> None:
        """The attempt counts; the last one gives the message up."""
        values = _later(row.attempts, reason)
        if row.attempts >= MOST_ATTEMPTS:
            values = _over(GIVEN_UP, reason)
        if rest is not None:
            values["payload"] = payload_of(rest)
        self._note(row, values, message.c.state == SENDING)

    def note_not_tried(self, row: Row[Any], reason: str) -> None:
        """The system, or the deployment, was at fault: the attempt does not count."""
        values = _later(row.attempts, reason) | {"attempts": row.attempts - 1}
        self._note(row, values, message.c.state == SENDING)

    def note_unknown(self, row: Row[Any], reason: str) -> None:
        self._note(row, _perhaps(reason), message.c.state == SENDING)

    def _note(self, row: Row[Any], values: dict[str, Any], *where: ColumnElement[bool]) -> None:
        own = update(message).where(message.c.id == row.id, message.c.claimed_by == self.name, *where)
        self.transaction(lambda connection: connection.execute(own.values(**values)))

    def close(self) -> None:
        """Disconnect, which frees the lock."""
        if self._connection is not None:
            self._connection.invalidate()  # a pooled connection would keep the lock
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def take_back(connection: Connection, own: ColumnElement[bool]) -> int:
    """Free the messages of claims that are over: perhaps they were delivered. Returns how many."""
    locked = select(message.c.id).where(message.c.state == SENDING, own, IS_OVER).with_for_update(skip_locked=True)
    statement = update(message).where(message.c.id.in_(locked)).values(**_perhaps(LOST))
    return connection.execute(statement).rowcount


def set_aside(connection: Connection, name: str, reason: str) -> None:
    """Let all messages of an outside system wait, each time longer; in the end those for users' web hooks are given
    up."""
    first = insert(system).values(name=name, reason=reason, next_try=func.now() + FIRST_PAUSE)
    grown = FIRST_PAUSE * func.power(2, func.least(system.c.failures, 10))
    connection.execute(
        first.on_conflict_do_update(
            index_elements=["name"],
            set_={
                "reason": reason,
                "failures": system.c.failures + 1,
                "next_try": func.now() + func.least(grown, LONGEST_PAUSE_OF_SYSTEM),
            },
        )
    )
    over = select(system.c.name).where(
        system.c.name == name,
        system.c.name.startswith("webhook "),
        system.c.since < func.now() - PATIENCE_WITH_WEB_HOOKS,
    )
    hopeless = update(message).where(message.c.state == WAITING, message.c.system.in_(over))
    connection.execute(hopeless.values(**_over(GIVEN_UP, reason)))
    connection.execute(delete(system).where(system.c.name.in_(over)))  # what comes later has days of its own


def postpone_alike(connection: Connection, row: Row[Any], own: ColumnElement[bool], reason: str) -> int:
    """Let all wait that are for the same task as a message: there is no place for them. Returns how many."""
    task = message.c.payload["task"].astext
    alike = (message.c.system == row.system) & (task == row.payload.get("task"))
    statement = update(message).where(message.c.state == WAITING, own, alike)
    values = {"next_attempt": func.now() + PAUSE_WITHOUT_PLACE, "last_error": without(reason)}
    return connection.execute(statement.values(values)).rowcount


def set_right(connection: Connection, name: str) -> None:
    """An outside system has answered."""
    connection.execute(delete(system).where(system.c.name == name))


def _later(attempts: int, reason: str) -> dict[str, Any]:
    pause = min(FIRST_PAUSE * 2 ** (attempts - 1), LONGEST_PAUSE)
    return {"state": WAITING, "next_attempt": func.now() + pause, "last_error": without(reason)}


def _over(state: str, reason: str) -> dict[str, Any]:
    return {"state": state, "finished": func.now(), "last_error": without(reason)}


def _perhaps(reason: str) -> dict[str, Any]:
    """Wait for the next of the few tries that are left, or for an operator."""
    last = message.c.unknown >= len(UNKNOWN_PAUSES)
    pauses = {number: func.now() + pause for number, pause in enumerate(UNKNOWN_PAUSES)}
    return {
        "state": case((last, PERHAPS), else_=WAITING),
        "finished": case((last, func.now())),
        "next_attempt": case(pauses, value=message.c.unknown, else_=func.now()),
        "unknown": message.c.unknown + 1,
        "last_error": without(f"{PERHAPS}: {reason}"),
    }
