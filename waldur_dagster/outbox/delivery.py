"""Delivering what waits in the outbox; safe with several deliverers at the same time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Engine, Row, Select, func, select, update

from waldur_dagster.deployment import Deployment
from waldur_dagster.outbox.messages import Message, parse, payload_of
from waldur_dagster.outbox.senders import DeliveredInPart, NotDelivered, Senders
from waldur_dagster.outbox.tables import DELIVERED, DROPPED, GIVEN_UP, WAITING, message
from waldur_dagster.site import current_settings

FIRST_PAUSE, LONGEST_PAUSE, MOST_ATTEMPTS = timedelta(minutes=1), timedelta(hours=6), 20


@dataclass
class Delivered:
    """Figures of one round by kind, and what did not get out with the reason."""

    sent: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[str, str]] = field(default_factory=list)


def deliver(
    engine: Engine, deployment: Deployment, *, entry: str | None = None, run_id: str | None = None
) -> Delivered:
    """Send what is due, oldest first; each message is a transaction of its own.

    Only the messages of one entry or run, when given. A message that fails waits for its next attempt, ever longer;
    after MOST_ATTEMPTS, or when another try cannot help, it is given up and stays visible. Handovers and calls of
    Waldur's API wait without end while no broker or no API is configured.
    """
    done = Delivered()
    due = _due(deployment)
    if entry is not None:
        due = due.where(message.c.entry == entry)
    if run_id is not None:
        due = due.where(message.c.run_id == run_id)
    settings = partial(current_settings, engine, deployment)
    with Senders(deployment, settings) as senders, engine.connect() as connection:
        last: int | None = 0
        while last is not None:
            last = _deliver_next(connection, senders, due, last, done)
    return done


def _deliver_next(
    connection: Connection, senders: Senders, due: Select[tuple], after: int, done: Delivered
) -> int | None:
    """Send one message that nobody else is sending; returns its id, None when there is none."""
    with connection.begin():
        row = connection.execute(
            due.where(message.c.id > after).order_by(message.c.id).limit(1).with_for_update(skip_locked=True)
        ).one_or_none()
        if row is None:
            return None
        try:
            senders.send(parse.validate_python(row.payload | {"key": row.key}))
        except NotDelivered as problem:
            _postpone(connection, row.id, row.attempts + 1, str(problem), final=problem.final, rest=problem.rest)
            done.failed.append((row.key, str(problem)))
        except DeliveredInPart as problem:
            _note_delivered(connection, row, str(problem))
            done.sent[row.kind] += 1
            done.failed.append((row.key, str(problem)))
        except ValidationError as error:
            reason = f"malformed payload: {error.error_count()} errors"
            _postpone(connection, row.id, row.attempts + 1, reason, final=True)
            done.failed.append((row.key, reason))
        except Exception as error:  # what cannot be made into a mail or call must not stop the others
            reason = f"cannot be sent as it is: {type(error).__name__}"
            _postpone(connection, row.id, row.attempts + 1, reason, final=True)
            done.failed.append((row.key, reason))
        else:
            _note_delivered(connection, row, None)
            done.sent[row.kind] += 1
        return int(row.id)


def _note_delivered(connection: Connection, row: Row[Any], remark: str | None) -> None:
    values = {"state": DELIVERED, "attempts": row.attempts + 1, "finished": func.now(), "last_error": remark}
    if row.payload.get("confidential"):
        values["payload"] = row.payload | {"body": "(confidential: not kept)", "html": None}
    connection.execute(update(message).where(message.c.id == row.id).values(values))


def _postpone(
    connection: Connection, message_id: int, attempts: int, reason: str, *, final: bool, rest: Message | None = None
) -> None:
    over = final or attempts >= MOST_ATTEMPTS
    pause = min(FIRST_PAUSE * 2 ** (attempts - 1), LONGEST_PAUSE)
    connection.execute(
        update(message)
        .where(message.c.id == message_id)
        .values(
            attempts=attempts,
            last_error=reason,
            next_attempt=func.now() + pause,
            state=GIVEN_UP if over else WAITING,
            finished=func.now() if over else None,
            **({} if rest is None else {"payload": payload_of(rest)}),
        )
    )


def retry(engine: Engine, keys: list[str] | None = None) -> int:
    """Make messages due now: those named, or all that wait or were given up. Returns how many."""
    return _set(engine, keys, [WAITING, GIVEN_UP], state=WAITING, attempts=0, next_attempt=func.now(), finished=None)


def drop(engine: Engine, keys: list[str]) -> int:
    """Never send these messages. Returns how many."""
    return _set(engine, keys, [WAITING, GIVEN_UP], state=DROPPED, finished=func.now())


def _set(engine: Engine, keys: list[str] | None, states: list[str], **values: object) -> int:
    statement = update(message).where(message.c.state.in_(states)).values(**values)
    if keys is not None:
        statement = statement.where(message.c.key.in_(keys))
    with engine.begin() as connection:
        return connection.execute(statement).rowcount


def waiting_since(engine: Engine, deployment: Deployment) -> tuple[int, datetime | None]:
    """How many messages are due, and since when."""
    due = _due(deployment).subquery()
    with engine.connect() as connection:
        count, oldest = connection.execute(select(func.count(), func.min(due.c.created))).one()
    return count, oldest


def _due(deployment: Deployment) -> Select[Any]:
    due = select(message).where(message.c.state == WAITING, message.c.next_attempt <= func.now())
    missing = [] if deployment.has_broker else ["handover"]
    missing += [] if deployment.waldur_api else ["api_call"]
    return due.where(message.c.kind.not_in(missing))
