"""Deleting rows with all that hangs on them: Waldur's code cascades, its database does not (spec core 1.2)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Table, TableClause, column, delete, select, table, update

from waldur_dagster.schema.generations import deletion_rule
from waldur_dagster.work import Work


def delete_with_dependants(work: Work, target: Table, ids: Sequence[int]) -> int:
    """Delete rows of ``target``; rows that refer to them are deleted too, or their reference is emptied.

    Follows every foreign key that the site's database has, those of newer versions of Waldur included, by what Waldur
    does on deletion. Generic references and events are the caller's. Returns the number of rows of ``target``.
    Statements: a constant number for each table.
    """
    (key,) = target.primary_key.columns
    return _delete(work, target, key.name, ids)


def _delete(work: Work, target: Table | TableClause, key: str, ids: Sequence[int]) -> int:
    if not ids:
        return 0
    for found in work.schema.references.get(target.name, []):
        child = table(found.child, column(found.key), *([column(found.column)] if found.column != found.key else []))
        referring = child.c[found.column].in_(ids)
        rule = deletion_rule(found.child, found.column, optional=found.optional)
        if rule == "cascade":
            hanging = list(work.connection.scalars(select(child.c[found.key]).where(referring)))
            _delete(work, child, found.key, hanging)
        elif rule == "set_null":
            work.execute(update(child).where(referring).values({found.column: None}))
    return work.execute(delete(target).where(target.c[key].in_(ids))).rowcount
