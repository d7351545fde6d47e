"""What was seen as a leftover in two runs in a row, whichever processes they were of."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import Text, delete, literal, select
from sqlalchemy.dialects.postgresql import insert

from waldur_dagster.outbox.tables import leftover
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.work import Work

# Runs that lie closer together are one look: what was being made in the first may be so in the second.
APART = timedelta(minutes=5)


def seen_again(work: Work, place: str, ids: Collection[str]) -> set[str]:
    """Remember what looks like a leftover at a place now, and forget what no longer does.

    Returns those that have looked so in an earlier run too, and ever since.
    """
    known = leftover.c.place == place
    given = given_rows([{"object_id": id} for id in sorted(ids)], object_id=Text)
    work.connection.execute(delete(leftover).where(known, leftover.c.object_id.not_in(select(given.c.object_id))))
    fresh = insert(leftover).from_select(
        ["place", "object_id", "seen"], select(literal(place, Text), given.c.object_id, literal(work.as_of))
    )
    work.connection.execute(fresh.on_conflict_do_nothing())
    again = select(leftover.c.object_id).where(known, leftover.c.seen <= work.as_of - APART)
    return set(work.connection.scalars(again))


def forget(work: Work, place: str, object_id: str) -> None:
    """It is gone."""
    work.connection.execute(delete(leftover).where(leftover.c.place == place, leftover.c.object_id == object_id))
