"""Putting messages into the outbox, inside the transaction of the work that causes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Text, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB, insert

from waldur_dagster.outbox import tables
from waldur_dagster.outbox.messages import Message, payload_of
from waldur_dagster.outbox.origin import origin
from waldur_dagster.temporary import Spool
from waldur_dagster.work import Work

FIGURES = {
    "mail": "mails",
    "webhook": "web hooks",
    "invitation": "web hooks",
    "account": "accounts asked for",
    "handover": "handovers",
    "api_call": "API calls",
}


def put(work: Work, messages: Iterable[Message], *, again: bool = False) -> int:
    """Write messages, all in one statement; those whose key is there already are left out.

    With ``again``, one that is there and could not be delivered so far is made due, as a message of this run; one that
    is just being sent is left to whoever sends it, and not waited for. Returns how many were written.
    """
    with Spool(work, "new_message", key=Text, kind=Text, payload=JSONB) as spool:
        for message in messages:
            spool.add(key=message.key, kind=message.kind, payload=payload_of(message))
        return _write(work, spool, again=again) if spool else 0


def _write(work: Work, spool: Spool, *, again: bool) -> int:
    row, message = spool.loaded(), tables.message
    owner = literal(origin(work.connection, work.deployment))
    source = select(row.c.key, row.c.kind, literal(work.entry), literal(work.run_id), row.c.payload, owner)
    if again:
        # An update refuses to meet a key twice, and would lock messages that it may not change.
        first = row.c.position.in_(select(func.min(row.c.position)).group_by(row.c.key))
        fixed = select(message.c.id).where(message.c.key == row.c.key, message.c.state.not_in(tables.CAN_BE_RETRIED))
        source = source.where(first, ~fixed.exists())
    statement = insert(message).from_select(
        ["key", "kind", "entry", "run_id", "payload", "origin"], source.order_by(row.c.position), include_defaults=False
    )
    if again:
        statement = statement.on_conflict_do_update(
            index_elements=["key"],
            set_={
                "run_id": work.run_id,
                "origin": owner,
                "state": tables.WAITING,
                "next_attempt": func.now(),
                "finished": None,
            },
            where=message.c.state.in_(tables.CAN_BE_RETRIED),
        )
    else:
        statement = statement.on_conflict_do_nothing(index_elements=["key"])
    written = statement.returning(message.c.kind).cte("written")
    counts = select(written.c.kind, func.count().label("messages")).group_by(written.c.kind)
    found = work.connection.execute(counts).all()
    for kind, count in found:
        work.outcome.figures[FIGURES[kind]] += count
    return sum(count for _, count in found)


def problem_of_delivery() -> ColumnElement[str | None]:
    """Why a message is not delivered so far: its last error, else that its outside system is down; NULL for neither."""
    message, system = tables.message, tables.system
    resting = select(system.c.reason).where(system.c.name == message.c.system).correlate(message)
    return func.coalesce(message.c.last_error, resting.scalar_subquery())


def deliveries(work: Work, keys: Iterable[str]) -> dict[str, Any]:
    """What became of messages, by key, so that a later step of a job can act on it: state, attempts, problem."""
    message = tables.message
    found = select(message.c.key, message.c.state, message.c.attempts, problem_of_delivery().label("problem"))
    rows = work.connection.execute(found.where(message.c.key == func.any(list(keys))))
    return {row.key: row for row in rows}


def waiting_keys(work: Work, prefix: str) -> list[str]:
    """The keys that begin with ``prefix`` of messages that are still to be sent."""
    message = tables.message
    waiting = select(message.c.key).where(
        message.c.state.in_(tables.UNFINISHED), message.c.key.startswith(prefix, autoescape=True)
    )
    return list(work.connection.scalars(waiting))
