"""Deleting rows with all that hangs on them: Waldur's code cascades, its database does not (spec core 1.2)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ForeignKey, Table, delete, select, update

from waldur_dagster.schema.base import OnDelete, metadata
from waldur_dagster.work import Work


def delete_with_dependants(work: Work, table: Table, ids: Sequence[int]) -> int:
    """Delete rows of ``table``; rows that refer to them are deleted too, or their reference is emptied.

    Follows every foreign key of tables that the site has, by what Waldur does on deletion. Generic references and
    events are the caller's. Returns the number of rows of ``table``. Statements: a constant number for each table.
    """
    if not ids:
        return 0
    for key in _references_to(table):
        child, column = key.parent.table, key.parent
        if not work.schema.has(child.name, column.name):
            continue
        if key.info["on_delete"] is OnDelete.CASCADE:
            (child_key,) = child.primary_key.columns
            found = list(work.connection.scalars(select(child_key).where(column.in_(ids))))
            delete_with_dependants(work, child, found)
        elif key.info["on_delete"] is OnDelete.SET_NULL:
            work.execute(update(child).where(column.in_(ids)).values({column.name: None}))
    (own_key,) = table.primary_key.columns
    return work.execute(delete(table).where(own_key.in_(ids))).rowcount


def _references_to(table: Table) -> list[ForeignKey]:
    return [
        key
        for other in metadata.tables.values()
        for column in other.columns
        for key in column.foreign_keys
        if key.target_fullname.split(".")[0] == table.name
    ]
