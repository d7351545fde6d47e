"""Which rows this program itself has put into Deleting, so that a later run continues these and no others."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Integer, Select, Text, delete, literal, select
from sqlalchemy.dialects.postgresql import insert

from waldur_dagster.outbox.tables import begun_deletion as begun
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.work import Work


def note_begun(work: Work, kind: str, ids: Collection[int]) -> None:
    """Remember rows of a kind; those that are known already stay as they are."""
    if not ids:
        return
    given = given_rows([{"object_id": id} for id in ids], object_id=Integer)
    rows = select(literal(kind, Text), given.c.object_id, literal(work.as_of))
    statement = insert(begun).from_select(["kind", "object_id", "begun"], rows)
    work.connection.execute(statement.on_conflict_do_nothing())


def forget(work: Work, kind: str, ids: Collection[int]) -> None:
    """Rows whose deletion has ended, one way or the other."""
    if ids:
        work.connection.execute(delete(begun).where(begun.c.kind == kind, begun.c.object_id.in_(ids)))


def begun_ids(kind: str) -> Select[tuple[int]]:
    return select(begun.c.object_id).where(begun.c.kind == kind)
