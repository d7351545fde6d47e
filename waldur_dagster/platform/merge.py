"""Making rows of a table what an outside system says: in sets, whatever the number of rows.

A statement each for updating what differs, inserting what is new, and finding what is there no longer; the pulled rows
go with each of them, as one parameter. Rows that agree are not written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, and_, cast, exists, literal, or_, select, true, update

from waldur_dagster.platform.cascade import delete_with_dependants
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.work import Work


class Merge:
    """The rows of ``table`` in ``scope`` on one side, what was pulled on the other.

    ``key`` are the columns that tell rows apart within the scope. ``pulled`` is a FROM clause with one row for each
    key, the first: the key, ``columns`` of the table, and what else the caller joins with, by its ``types``.
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
    ):
        self._work, self.table, self._scope = work, table, scope
        self._key = tuple(key)
        known = {name: table.c[name].type for name in (*key, *columns)}
        self.pulled = given_rows(_first_of_each(rows, self._key), **(known | dict(types or {})))

    def matches(self) -> ColumnElement[bool]:
        """Whether a row of the table and one that was pulled are the same thing."""
        return and_(self._scope, *(self.table.c[column] == self.pulled.c[column] for column in self._key))

    def update(
        self,
        values: Mapping[str, ColumnElement[Any]] | Sequence[str],
        *,
        also: Mapping[str, Any] | None = None,
        where: ColumnElement[bool] | None = None,
    ) -> list[Row[Any]]:
        """Give known rows the pulled values where one differs, and then ``also`` (modified = now).

        ``values`` are names of pulled columns, or expressions by the column they are for. Rows that ``where`` excludes
        stay. Returns the changed ones: id, and for each column ``old_<column>`` and ``new_<column>``.
        """
        pulled, table = self.pulled, self.table
        new = dict(values) if isinstance(values, Mapping) else {name: pulled.c[name] for name in values}
        known = (
            select(
                table.c.id,
                *(table.c[name].label(f"old_{name}") for name in new),
                *(cast(value, table.c[name].type).label(f"new_{name}") for name, value in new.items()),
            )
            .join_from(table, pulled, self.matches())
            .where(true() if where is None else where)
            .order_by(table.c.id)
            .with_for_update(of=table)
            .cte("known")
        )
        written = (
            update(table)
            .values({name: known.c[f"new_{name}"] for name in new} | dict(also or {}))
            .where(
                table.c.id == known.c.id,
                or_(*(known.c[f"old_{name}"].is_distinct_from(known.c[f"new_{name}"]) for name in new)),
            )
            .returning(*known.c)
        )
        return list(self._work.execute(written))

    def insert(self, values: Mapping[str, Any]) -> list[Row[Any]]:
        """Insert what is not known, in the order of the key; returns id and key.

        ``values`` are columns with expressions or plain values.
        """
        pulled, table = self.pulled, self.table
        columns = [
            (value if isinstance(value, ColumnElement) else literal(value, table.c[name].type)).label(name)
            for name, value in values.items()
        ]
        fresh = select(*columns).select_from(pulled).where(~exists().where(self.matches()).correlate(pulled))
        fresh = fresh.order_by(*(pulled.c[name] for name in self._key))
        statement = self._work.insert_from(table, fresh).returning(table.c.id, *(table.c[name] for name in self._key))
        return list(self._work.execute(statement))

    def stale(self, where: ColumnElement[bool] | None = None) -> list[int]:
        """The ids of rows in the scope that were not pulled; they stay locked."""
        listed = exists().where(self.matches()).correlate(self.table)
        found = select(self.table.c.id).where(self._scope, ~listed, true() if where is None else where)
        return list(self._work.connection.scalars(found.order_by(self.table.c.id).with_for_update(of=self.table)))

    def delete(self, ids: Sequence[int]) -> int:
        """Delete such rows with all that hangs on them; returns how many."""
        return delete_with_dependants(self._work, self.table, ids)


def _first_of_each(rows: Sequence[Mapping[str, Any]], key: Sequence[str]) -> list[Mapping[str, Any]]:
    found: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for row in rows:
        found.setdefault(tuple(row[column] for column in key), row)
    return list(found.values())
