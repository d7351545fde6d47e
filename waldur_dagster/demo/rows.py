"""Rows of Waldur tables with everything filled in that one does not care about; for the demo site and benchmarks."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from random import Random
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from waldur_dagster.platform.site_schema import SiteColumn, SiteSchema
from waldur_dagster.schema import core, django
from waldur_dagster.schema.neutral import neutral_value


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
        given = self.schema.fitting(table, values)
        demanded = (c for c in self.schema.demanded(table.name) if c.name not in given)
        return {c.name: self._empty(table, c) for c in demanded} | given

    def _empty(self, table: Table, column: SiteColumn) -> Any:
        if column.type == "uuid":
            return uuid.UUID(int=self._random.getrandbits(128), version=4)
        if column.name == "slug":
            return f"{self._random.getrandbits(40):x}"[:8]
        return neutral_value(table.name, column.name, column.type, self._born)
