"""Making rows of a table what an outside system says: in sets, whatever the number of rows.

A statement each for: taking the pulled rows to the database, updating what differs, inserting what is new, and finding
what is there no longer. Rows that agree are not written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, exists, literal, or_, select, true, update

from waldur_dagster.platform.cascade import delete_with_dependants
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.platform.temporary import temporary_returned, temporary_table
from waldur_dagster.work import Work


class Merge:
    """The rows of ``table`` in ``scope`` on one side, what was pulled on the other.

    ``key`` are the columns that tell rows apart within the scope. ``pulled`` is a temporary table with one row for
    each key, the first: the key, ``columns`` of the table, and what else the caller joins with, by its ``types``.
    ``name`` tells the temporary tables of several merges in one transaction apart.
    """

    def __init__(
        self,
        work: Work,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        *,
        key: Sequence[str],
        columns: Sequence[str],
        scope: ColumnElement[bool],
        types: Mapping[str, Any] | None = None,
        name: str = "",
    ):
        self._work, self.table, self._scope = work, table, scope
        self._key = tuple(key)
        self._name = name or table.name
        known = {name: table.c[name].type for name in (*key, *columns)}
        given = given_rows(_first_of_each(rows, self._key), **(known | dict(types or {})))
        self.pulled = temporary_table(work, f"pulled_{self._name}", select(given))

    def matches(self, pulled: Any = None) -> ColumnElement[bool]:
        """Whether a row of the table and one that was pulled are the same thing."""
        pulled = self.pulled if pulled is None else pulled
        return and_(self._scope, *(self.table.c[column] == pulled.c[column] for column in self._key))

    def update(
        self,
        values: Mapping[str, ColumnElement[Any]] | Sequence[str],
        *,
        also: Mapping[str, Any] | None = None,
        where: ColumnElement[bool] | None = None,
        source: Any = None,
    ) -> Table:
        """Give known rows the pulled values where one differs, and then ``also`` (modified = now).

        ``values`` are names of pulled columns, or expressions by the column they are for; ``source`` replaces
        ``pulled`` where those need more than it has. Rows that ``where`` excludes stay. Returns the temporary table
        ``changed_...``: id, and for each column ``old_<column>`` and ``new_<column>``.
        """
        pulled = self.pulled if source is None else source
        new = dict(values) if isinstance(values, Mapping) else {name: pulled.c[name] for name in values}
        table = self.table
        differing = (
            select(
                table.c.id,
                *(table.c[name].label(f"old_{name}") for name in new),
                *(value.label(f"new_{name}") for name, value in new.items()),
            )
            .join_from(table, pulled, self.matches(pulled))
            .where(true() if where is None else where)
            .where(or_(*(table.c[name].is_distinct_from(value) for name, value in new.items())))
            .with_for_update(of=table)
            .cte("differing")
        )
        written = (
            update(table)
            .values({name: differing.c[f"new_{name}"] for name in new} | dict(also or {}))
            .where(table.c.id == differing.c.id)
            .returning(*differing.c)
        )
        return temporary_returned(self._work, f"changed_{self._name}", written)

    def insert(
        self, values: Mapping[str, Any], *, source: Any = None, where: ColumnElement[bool] | None = None
    ) -> Table:
        """Insert what is not known: ``values`` are columns with expressions or plain values.

        Returns the temporary table ``inserted_...`` with id and the key.
        """
        pulled = self.pulled if source is None else source
        columns = [
            (value if isinstance(value, ColumnElement) else literal(value, self.table.c[name].type)).label(name)
            for name, value in values.items()
        ]
        fresh: Select[Any] = select(*columns).select_from(pulled).where(~exists().where(self.matches(pulled)))
        if where is not None:
            fresh = fresh.where(where)
        table = self.table
        statement = self._work.insert_from(table, fresh).returning(table.c.id, *(table.c[name] for name in self._key))
        return temporary_returned(self._work, f"inserted_{self._name}", statement)

    def stale(self, where: ColumnElement[bool] | None = None) -> Table:
        """The temporary table ``stale_...`` (id) of rows in the scope that were not pulled; they stay locked."""
        listed = exists().where(self.matches()).correlate(self.table)
        found = select(self.table.c.id).where(self._scope, ~listed).with_for_update(of=self.table)
        return temporary_table(self._work, f"stale_{self._name}", found if where is None else found.where(where))

    def delete(self, stale: Table) -> int:
        """Delete such rows with all that hangs on them; returns how many."""
        return delete_with_dependants(self._work, self.table, list(self._work.connection.scalars(select(stale.c.id))))


def _first_of_each(rows: Sequence[Mapping[str, Any]], key: Sequence[str]) -> list[Mapping[str, Any]]:
    found: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for row in rows:
        found.setdefault(tuple(row[column] for column in key), row)
    return list(found.values())
