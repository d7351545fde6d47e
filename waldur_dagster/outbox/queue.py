"""Putting messages into the outbox, inside the transaction of the work that causes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from sqlalchemy.dialects.postgresql import insert

from waldur_dagster.outbox import tables
from waldur_dagster.outbox.messages import Message
from waldur_dagster.work import Work

BATCH = 200
FIGURES = {"mail": "mails", "webhook": "web hooks", "handover": "handovers"}


def put(work: Work, messages: Iterable[Message]) -> int:
    """Write messages, in batches; those whose key is there already are left out. Returns how many are new."""
    new: Counter[str] = Counter()
    for batch in _batches(messages):
        rows = [
            {
                "key": message.key,
                "kind": message.kind,
                "entry": work.entry,
                "run_id": work.run_id,
                "payload": message.model_dump(mode="json", exclude_defaults=True) | {"kind": message.kind},
            }
            for message in batch
        ]
        statement = insert(tables.message).values(rows).on_conflict_do_nothing(index_elements=["key"])
        new.update(work.connection.scalars(statement.returning(tables.message.c.kind)))
    for kind, count in new.items():
        work.outcome.figures[FIGURES[kind]] += count
    return new.total()


def _batches(messages: Iterable[Message]) -> Iterator[list[Message]]:
    iterator = iter(messages)
    while batch := list(islice(iterator, BATCH)):
        yield batch
