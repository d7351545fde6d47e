"""What tables and columns the site's database really has: sites run older and newer schemas (design decision 7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, Table, column, func, literal, literal_column, text
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.sql.expression import TableClause, table

_COLUMNS = text(
    """
    SELECT c.relname, a.attname, format_type(a.atttypid, NULL) AS type,
           a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AS demanded
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = to_regnamespace('public') AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY c.relname, a.attnum
    """
)

_EMPTY: dict[str, Any] = {
    "boolean": False,
    "character varying": "",
    "text": "",
    "smallint": 0,
    "integer": 0,
    "bigint": 0,
    "numeric": 0,
    "real": 0,
    "double precision": 0,
    "inet": "0.0.0.0",  # noqa: S104  a value of a column, nothing listens there
}


@dataclass(frozen=True)
class SiteColumn:
    """A column as PostgreSQL has it; ``demanded`` columns refuse an insert that does not name them."""

    name: str
    type: str
    demanded: bool


class UnknownDemandedColumn(Exception):
    """A column of the site's newer schema must be given, and no neutral value is known for its type."""


class SiteSchema:
    """Tables and columns of the schema ``public`` of one database, read at first use."""

    def __init__(self, engine: Engine):
        self._engine = engine

    @cached_property
    def tables(self) -> dict[str, dict[str, SiteColumn]]:
        found: dict[str, dict[str, SiteColumn]] = {}
        with self._engine.connect() as connection:
            for name, column_name, kind, demanded in connection.execute(_COLUMNS):
                found.setdefault(name, {})[column_name] = SiteColumn(column_name, kind, demanded)
        return found

    def has(self, name: str, column_name: str | None = None) -> bool:
        return name in self.tables and (column_name is None or column_name in self.tables[name])

    def missing(self, needed: Table) -> list[str]:
        """What the site lacks of a table: its name, or ``table.column`` for each column."""
        if not self.has(needed.name):
            return [needed.name]
        return [f"{needed.name}.{c.name}" for c in needed.columns if not self.has(needed.name, c.name)]

    def unfillable(self, target: Table) -> list[str]:
        """Columns of a newer schema that new rows of a table must give, and for which no neutral value is known."""
        unknown = [c for c in self.tables.get(target.name, {}).values() if c.demanded and c.name not in target.c]
        return [f"{target.name}.{c.name} ({c.type})" for c in unknown if not _is_known(target, c)]

    def insert_from(self, target: Table, source: Select[Any], as_of: datetime) -> Insert:
        """``INSERT INTO target SELECT``: columns by the names of ``source``, the rest that is demanded neutral."""
        names = list(source.selected_columns.keys())
        neutral = self._neutral(target, set(names), as_of)
        if neutral:
            source = source.add_columns(*(value.label(name) for name, value in neutral.items()))
        return insert(self._widened(target, neutral)).from_select([*names, *neutral], source, include_defaults=False)

    def insert_values(self, target: Table, names: set[str], as_of: datetime) -> Insert:
        """``INSERT INTO target VALUES`` for rows with these columns, the rest that is demanded neutral."""
        return insert(self._widened(target, neutral := self._neutral(target, names, as_of))).values(neutral)

    def _neutral(self, target: Table, given: set[str], as_of: datetime) -> dict[str, ColumnElement[Any]]:
        known = self.tables.get(target.name, {})
        return {c.name: _neutral_value(target, c, as_of) for c in known.values() if c.demanded and c.name not in given}

    @staticmethod
    def _widened(target: Table, neutral: Mapping[str, Any]) -> Table | TableClause:
        if all(name in target.c for name in neutral):
            return target
        return table(
            target.name, *(column(c.name, c.type) for c in target.c), *(column(n) for n in neutral if n not in target.c)
        )


def _is_known(target: Table, wanted: SiteColumn) -> bool:
    try:
        _neutral_value(target, wanted, datetime.min)
    except UnknownDemandedColumn:
        return False
    return True


def _neutral_value(target: Table, wanted: SiteColumn, as_of: datetime) -> ColumnElement[Any]:
    """The value that Django's own default would be most likely to have (design decision 7)."""
    if wanted.type in _EMPTY:
        return literal(_EMPTY[wanted.type])
    match wanted.type:
        case "uuid":
            return func.gen_random_uuid()
        case "json" | "jsonb":
            return literal_column(f"'{{}}'::{wanted.type}")
        case "timestamp with time zone":
            return literal(as_of)
        case "date":
            return literal(as_of.date())
        case "interval":
            return literal_column("interval '0'")
        case "bytea":
            return literal_column("''::bytea")
        case kind if kind.endswith("[]"):
            return literal_column(f"'{{}}'::{kind}")
    raise UnknownDemandedColumn(
        f"{target.name}.{wanted.name} ({wanted.type}) must have a value in this site's schema, and none is known; "
        "a newer version of this program is needed for this site."
    )
