"""Putting messages into the outbox, inside the transaction of the work that causes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from waldur_dagster.outbox import tables
from waldur_dagster.outbox.messages import Message, payload_of
from waldur_dagster.work import Work

BATCH = 200
FIGURES = {
    "mail": "mails",
    "webhook": "web hooks",
    "invitation": "web hooks",
    "account": "accounts asked for",
    "handover": "handovers",
    "api_call": "API calls",
}


def put(work: Work, messages: Iterable[Message], *, again: bool = False) -> int:
    """Write messages, in batches; those whose key is there already are left out. Returns how many were written.

    With ``again``, one that is there and could not be delivered so far is made due, as a message of this run.
    """
    new: Counter[str] = Counter()
    for batch in _batches(messages):
        rows = [
            {
                "key": message.key,
                "kind": message.kind,
                "entry": work.entry,
                "run_id": work.run_id,
                "payload": payload_of(message),
            }
            for message in batch
        ]
        statement = insert(tables.message).values(rows)
        if again:
            statement = statement.on_conflict_do_update(
                index_elements=["key"],
                set_={"run_id": work.run_id, "state": tables.WAITING, "next_attempt": func.now(), "finished": None},
                where=tables.message.c.state.in_([tables.WAITING, tables.GIVEN_UP]),
            )
        else:
            statement = statement.on_conflict_do_nothing(index_elements=["key"])
        new.update(work.connection.scalars(statement.returning(tables.message.c.kind)))
    for kind, count in new.items():
        work.outcome.figures[FIGURES[kind]] += count
    return new.total()


def deliveries(work: Work, keys: Iterable[str]) -> dict[str, Any]:
    """What became of messages, by key, so that a later step of a job can act on it: state, attempts, last_error."""
    message = tables.message
    found = select(message.c.key, message.c.state, message.c.attempts, message.c.last_error)
    rows = work.connection.execute(found.where(message.c.key == func.any(list(keys))))
    return {row.key: row for row in rows}


def waiting_keys(work: Work, prefix: str) -> list[str]:
    """The keys that begin with ``prefix`` of messages that are still to be sent."""
    message = tables.message
    waiting = select(message.c.key).where(
        message.c.state == tables.WAITING, message.c.key.startswith(prefix, autoescape=True)
    )
    return list(work.connection.scalars(waiting))


def _batches(messages: Iterable[Message]) -> Iterator[list[Message]]:
    iterator = iter(messages)
    while batch := list(islice(iterator, BATCH)):
        yield batch
