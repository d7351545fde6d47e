"""Delivering what waits in the outbox; safe with several deliverers at the same time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from threading import Event
from typing import Any

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Connection, Engine, Row, and_, func, or_, select, tuple_

from waldur_dagster.deployment import Deployment
from waldur_dagster.outbox import claims
from waldur_dagster.outbox.claims import Claimant
from waldur_dagster.outbox.messages import Message, parse
from waldur_dagster.outbox.origin import is_foreign, is_own, origin
from waldur_dagster.outbox.senders import (
    DeliveredInPart,
    Down,
    Misconfigured,
    NoPlace,
    NotDelivered,
    Postponed,
    Sender,
    UnknownFate,
    sender_for,
)
from waldur_dagster.outbox.tables import SENDING, WAITING, message, system
from waldur_dagster.rounds import LONGEST_ROUND
from waldur_dagster.site import current_settings
from waldur_dagster.words import in_words

# Outside systems that are spoken to at the same time, so that a slow one keeps nobody else waiting.
PARALLEL = 4


@dataclass
class Delivered:
    """One round: what was sent, by kind; what was tried and did not get out, with the reason; and how many messages
    wait untried, by the reason why their outside system was left alone."""

    sent: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[str, str]] = field(default_factory=list)
    waiting: Counter[str] = field(default_factory=Counter)

    @property
    def not_delivered(self) -> int:
        return len(self.failed) + self.waiting.total()

    def findings(self) -> Iterator[str]:
        """One line for each reason, with an example of what it kept back."""
        keys: dict[str, list[str]] = {}
        for key, reason in self.failed:
            keys.setdefault(reason, []).append(key)
        for reason, held in keys.items():
            yield f"{held[0]}{f' and {len(held) - 1} more' if held[1:] else ''}: {reason}"
        for reason, count in self.waiting.items():
            yield f"{count} {'waits' if count == 1 else 'wait'}, tried again later: {reason}"


def deliver(
    engine: Engine, deployment: Deployment, *, entry: str | None = None, longest: float = LONGEST_ROUND
) -> Delivered:
    """Send what is due, oldest first, for as long as ``longest`` seconds; of one entry only, when given.

    Each outside system has a thread. One that is down is tried once, its other messages wait. Handovers and calls of
    Waldur's API wait without end while no broker or no API is configured.
    """
    done, stop = Delivered(), Event()
    with engine.begin() as connection:
        due = _Due.of(connection, deployment, entry)
        claims.take_back(connection, due.own)
        systems = connection.execute(due.systems()).all()
    whole = _Round(engine, deployment, due, time.monotonic() + longest, stop)
    with ThreadPoolExecutor(max_workers=PARALLEL, thread_name_prefix="outbox") as pool:
        rounds = [pool.submit(_Line(whole, row.kind, row.system).deliver) for row in systems]
        try:
            for finished in as_completed(rounds):
                part = finished.result()
                done.sent += part.sent
                done.failed += part.failed
                done.waiting += part.waiting
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True, wait=False)
            raise
    with engine.connect() as connection:
        for reason, count in connection.execute(due.left_alone()):
            done.waiting[reason] += count
        if time.monotonic() > whole.end and (left := connection.scalar(due.left_over())):
            done.waiting["the time of this round is over"] = left
    return done


@dataclass(frozen=True)
class _Due:
    """Which messages are to be sent: this deployment's, for systems that are configured, at their time."""

    own: ColumnElement[bool]
    chosen: ColumnElement[bool]

    @classmethod
    def of(cls, connection: Connection, deployment: Deployment, entry: str | None = None) -> _Due:
        missing = [] if deployment.has_broker else ["handover"]
        missing += [] if deployment.waldur_api else ["api_call"]
        own = is_own(origin(connection, deployment))
        chosen = and_(
            own,
            message.c.state == WAITING,
            message.c.next_attempt <= func.now(),
            message.c.kind.not_in(missing),
            *([] if entry is None else [message.c.entry == entry]),
        )
        return cls(own, chosen)

    @property
    def now(self) -> ColumnElement[bool]:
        """Without those of systems that are left alone."""
        resting = select(system.c.name).where(system.c.next_try > func.now())
        return and_(self.chosen, message.c.system.not_in(resting))

    def systems(self) -> Any:
        return select(message.c.kind, message.c.system).where(self.now).distinct()

    def left_alone(self) -> Any:
        """How many still wait, by the reason why their system is left alone; what was tried is not due any more."""
        resting = message.join(system, and_(system.c.name == message.c.system, system.c.next_try > func.now()))
        found = select(system.c.reason, func.count()).select_from(resting).where(self.chosen)
        return found.group_by(system.c.reason)

    def left_over(self) -> Any:
        return select(func.count()).select_from(message).where(self.now)


@dataclass(frozen=True)
class _Round:
    """What all threads of a round share; ``end`` is of time.monotonic()."""

    engine: Engine
    deployment: Deployment
    due: _Due
    end: float
    stop: Event


class _Line:
    """The deliveries of a round to one outside system, by one thread."""

    def __init__(self, whole: _Round, kind: str, name: str):
        self._whole, self._kind, self._name = whole, kind, name
        self._due, self._deployment = whole.due, whole.deployment
        self._claimant = Claimant(whole.engine)
        self._done = Delivered()
        self._answered = False

    def deliver(self) -> Delivered:
        with self._claimant:
            try:
                settings = partial(current_settings, self._whole.engine, self._deployment)
                sender = sender_for(self._kind, self._deployment, settings)
            except Exception as error:  # settings that make no client
                self._set_aside(in_words(error, self._deployment.secrets))
            else:
                with sender:
                    self._deliver_all(sender)
        return self._done

    def _deliver_all(self, sender: Sender) -> None:
        last: Row[Any] | None = None
        while time.monotonic() < self._whole.end and not self._whole.stop.is_set():
            last = self._claimant.transaction(partial(self._next, last))
            if last is None or not self._deliver_one(sender, last):
                return

    def _next(self, last: Row[Any] | None, connection: Connection) -> Row[Any] | None:
        due = select(message).where(self._due.chosen, message.c.system == self._name)
        if last is not None:
            due = due.where(tuple_(message.c.next_attempt, message.c.id) > (last.next_attempt, last.id))
        return connection.execute(due.order_by(message.c.next_attempt, message.c.id).limit(1)).one_or_none()

    def _deliver_one(self, sender: Sender, found: Row[Any]) -> bool:
        """Whether the system is there for the next message."""
        letter = _parsed(found)
        if letter is not None:
            try:
                sender.ready(letter)
            except (Down, Misconfigured) as problem:
                return self._set_aside(str(problem))
            except NoPlace as problem:
                return self._postpone_alike(found, str(problem))
            except Exception as error:
                return self._set_aside(in_words(error, self._deployment.secrets))
        row = self._claimant.claim(found.id, sender.longest, self._due.chosen)
        return row is None or self._send(sender, row)

    def _send(self, sender: Sender, row: Row[Any]) -> bool:
        claimant, letter = self._claimant, _parsed(row)
        try:
            if letter is None:
                claimant.note_refused(row, "malformed payload")
                return self._fail(row, "malformed payload")
            sender.send(letter)
        except DeliveredInPart as problem:
            self._take(row, str(problem))
            return self._fail(row, str(problem))
        except Down as problem:
            claimant.note_not_tried(row, str(problem))
            self._fail(row, str(problem))
            return self._set_aside(str(problem))
        except UnknownFate as problem:
            claimant.note_unknown(row, str(problem))
            self._fail(row, f"perhaps delivered: {problem}")
            return not problem.slow or self._set_aside(str(problem))
        except Misconfigured as problem:
            claimant.note_not_tried(row, str(problem))
            return self._fail(row, str(problem))
        except NoPlace as problem:
            claimant.note_not_tried(row, str(problem))
            self._fail(row, str(problem))
            return self._postpone_alike(row, str(problem))
        except Postponed as problem:
            claimant.note_postponed(row, str(problem), problem.rest)
            self._note_answer()
            return self._fail(row, str(problem))
        except NotDelivered as problem:
            claimant.note_refused(row, str(problem))
            self._note_answer()
            return self._fail(row, str(problem))
        except Exception as error:  # what cannot be made into a mail or call must not stop the others
            reason = f"cannot be sent as it is: {type(error).__name__}"
            claimant.note_refused(row, reason)
            return self._fail(row, reason)
        self._take(row, None)
        return True

    def _take(self, row: Row[Any], remark: str | None) -> None:
        self._claimant.note_delivered(row, remark)
        self._done.sent[row.kind] += 1
        self._note_answer()

    def _note_answer(self) -> None:
        """The system is there: said once in a round."""
        if not self._answered:
            self._answered = True
            self._claimant.transaction(lambda connection: claims.set_right(connection, self._name))

    def _fail(self, row: Row[Any], reason: str) -> bool:
        self._done.failed.append((row.key, reason))
        return True

    def _postpone_alike(self, row: Row[Any], reason: str) -> bool:
        """Only messages of the same task wait; the system is there for the others."""
        postpone = partial(claims.postpone_alike, row=row, own=self._due.own, reason=reason)
        if count := self._claimant.transaction(postpone):
            self._done.waiting[reason] += count
        return True

    def _set_aside(self, reason: str) -> bool:
        self._claimant.transaction(lambda connection: claims.set_aside(connection, self._name, reason))
        return False


def _parsed(row: Row[Any]) -> Message | None:
    try:
        return parse.validate_python(row.payload | {"key": row.key})
    except (ValidationError, TypeError):
        return None


@dataclass(frozen=True)
class Backlog:
    """What a delivery would find: how many messages are due, since when; and how many belong to somebody else."""

    due: int
    oldest: datetime | None
    foreign: int

    @property
    def foreign_words(self) -> str:
        """A sentence about messages that are not sent from here, empty when there are none."""
        if not self.foreign:
            return ""
        return (
            f" {self.foreign} {'belongs' if self.foreign == 1 else 'belong'} to another deployment or database and "
            f"{'is' if self.foreign == 1 else 'are'} not sent from here; `waldur-dagster outbox adopt` takes them over."
        )


def backlog(engine: Engine, deployment: Deployment) -> Backlog:
    """Looks only. Messages whose sender may have died count as due."""
    with engine.begin() as connection:
        mine = origin(connection, deployment)
        due = _Due.of(connection, deployment)
        lost = and_(due.own, message.c.state == SENDING, claims.IS_OVER)
        count, oldest = connection.execute(
            select(func.count(), func.min(message.c.created)).where(or_(due.now, lost))
        ).one()
        waiting = select(func.count()).where(is_foreign(mine), message.c.state == WAITING)
        return Backlog(count, oldest, connection.scalar(waiting) or 0)
