"""Rows of Waldur tables with everything filled in that one does not care about; for the demo site and benchmarks."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from random import Random
from typing import Any

from sqlalchemy import Connection, Row, Table, insert, select

from waldur_dagster.database.site_schema import SiteColumn, SiteSchema
from waldur_dagster.schema import core, django
from waldur_dagster.schema.generations import Generation, facts
from waldur_dagster.schema.neutral import neutral_value


def filled(
    schema: SiteSchema, table: Table, values: Mapping[str, Any], empty: Callable[[SiteColumn], Any]
) -> dict[str, Any]:
    """A row as the site can hold it: demanded columns without a value are ``empty``.

    Values of columns that only other versions of Waldur have are left out. Raises KeyError for a name that no known
    version has.
    """
    here = schema.tables[table.name]
    for name in values.keys() - here.keys():
        if not any(name in _columns(generation, table.name) for generation in Generation):
            raise KeyError(f"no version of Waldur that is known has a column {table.name}.{name}")
    given = {name: value for name, value in values.items() if name in here}
    wanted = (c for c in schema.demanded(table.name) if given.get(c.name) is None)
    return given | {c.name: empty(c) for c in wanted}


@cache
def _columns(generation: Generation, table: str) -> frozenset[str]:
    return frozenset(column["name"] for column in facts(generation).get(table, {"columns": []})["columns"])


class Rows:
    """Inserts rows; what is generated comes from ``random``, so that the same seed makes the same site."""

    def __init__(self, connection: Connection, random: Random, born: datetime):
        self.schema = SiteSchema(connection)
        self._connection = connection
        self._random = random
        self._born = born
        self._whole: dict[str, Table] = {}

    def add(self, table: Table, **values: Any) -> int:
        """Insert a row and return its id; NOT NULL columns that are not given get an empty value.

        Values of columns that only other versions of Waldur have are left out.
        """
        whole = self.whole(table)
        row = self.filled(table, values)
        return int(self._connection.execute(insert(whole).values(row).returning(*whole.primary_key)).scalar_one())

    def first(self, table: Table) -> Row[Any]:
        """The row of a table that was made first."""
        whole = self.whole(table)
        return self._connection.execute(select(whole).order_by(*whole.primary_key).limit(1)).one()

    def whole(self, table: Table) -> Table:
        """The table with all the columns that the site has."""
        if table.name not in self._whole:
            self._whole[table.name] = self.schema.whole(table)
        return self._whole[table.name]

    def content_type(self, app_label: str, model: str) -> int:
        """The id of a content type, which is made when it is missing."""
        table = django.content_type
        known = select(table.c.id).where(table.c.app_label == app_label, table.c.model == model)
        found = self._connection.scalar(known)
        return self.add(table, app_label=app_label, model=model) if found is None else int(found)

    def notification(self, key: str) -> None:
        """Switch a notification on, which is made when it is missing."""
        table = core.notification
        if self._connection.scalar(select(table.c.id).where(table.c.key == key)) is None:
            self.add(table, key=key, enabled=True)

    def filled(self, table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
        return filled(self.schema, table, values, lambda column: self._empty(table, column))

    def _empty(self, table: Table, column: SiteColumn) -> Any:
        if column.type == "uuid":
            return uuid.UUID(int=self._random.getrandbits(128), version=4)
        if column.name == "slug":
            return f"{self._random.getrandbits(40):x}"[:8]
        return neutral_value(table.name, column.name, column.type, self._born)
