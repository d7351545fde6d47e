"""What tables, columns and keys the site's database really has: sites run older and newer schemas.

Whatever differs between versions of Waldur is decided by what this tells (docs/waldur-versions.md), never by a version.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    MetaData,
    Select,
    Table,
    cast,
    column,
    func,
    literal,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.sql.expression import TableClause, table
from sqlalchemy.types import NullType

from waldur_dagster.schema.base import is_optional
from waldur_dagster.schema.neutral import NoNeutralValue, neutral_value
from waldur_dagster.schema.types import type_of

# Types are named once each: naming them for every column takes most of the time.
_COLUMNS = text(
    """
    WITH type AS MATERIALIZED (SELECT oid, format_type(oid, NULL) AS name FROM pg_type)
    SELECT c.relname, a.attname, type.name AS type,
           a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AS demanded,
           coalesce(a.attnum = ANY(i.indkey), false),
           CASE WHEN a.atttypid IN ('varchar'::regtype, 'bpchar'::regtype) AND a.atttypmod > 4 THEN a.atttypmod - 4 END,
           CASE WHEN a.atttypid = 'numeric'::regtype AND a.atttypmod > 4
                THEN ((a.atttypmod - 4) >> 16) - ((a.atttypmod - 4) & 65535) END
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN type ON type.oid = a.atttypid
    LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
    WHERE c.relnamespace = to_regnamespace('public') AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY c.relname, a.attnum
    """
)
_REFERENCES = text(
    """
    SELECT k.confrelid::regclass::text AS target, c.relname AS child, a.attname AS column, NOT a.attnotnull AS optional,
           (SELECT p.attname FROM pg_constraint pk JOIN pg_attribute p ON p.attrelid = c.oid AND p.attnum = pk.conkey[1]
            WHERE pk.conrelid = c.oid AND pk.contype = 'p') AS key
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
    WHERE k.contype = 'f' AND cardinality(k.conkey) = 1 AND c.relnamespace = to_regnamespace('public')
    ORDER BY c.relname, a.attnum
    """
)


class SiteColumn(NamedTuple):
    """A column as PostgreSQL has it; ``demanded`` columns refuse an insert that does not name them.

    ``length`` is that of texts which have one, in characters; ``digits`` are those that decimal numbers may have
    before their point, where that is said.
    """

    name: str
    type: str
    demanded: bool
    is_key: bool
    length: int | None = None
    digits: int | None = None


@dataclass(frozen=True)
class Reference:
    """A foreign key as PostgreSQL has it: ``child.column`` refers to a row; ``key`` is the child's primary key."""

    child: str
    column: str
    key: str
    optional: bool


class UnknownDemandedColumn(Exception):
    """A column of the site's newer schema must be given, and no neutral value is known for its type."""


class SiteSchema:
    """Tables, columns and keys of the schema ``public`` of one database, read at first use."""

    def __init__(self, database: Engine | Connection):
        self._database = database

    def _rows(self, statement: Any) -> list[Any]:
        with nullcontext(self._database) if isinstance(self._database, Connection) else self._database.connect() as c:
            return list(c.execute(statement))

    @cached_property
    def tables(self) -> dict[str, dict[str, SiteColumn]]:
        found: dict[str, dict[str, SiteColumn]] = {}
        for name, *facts in self._rows(_COLUMNS):
            column = SiteColumn(*facts)
            found.setdefault(name, {})[column.name] = column
        return found

    @cached_property
    def references(self) -> dict[str, list[Reference]]:
        """The foreign keys that lead to a table, by its name."""
        found: dict[str, list[Reference]] = {}
        for row in self._rows(_REFERENCES):
            found.setdefault(row.target, []).append(Reference(row.child, row.column, row.key, row.optional))
        return found

    def has(self, name: str, column_name: str | None = None) -> bool:
        return name in self.tables and (column_name is None or column_name in self.tables[name])

    def has_column(self, wanted: Column[Any]) -> bool:
        """Whether the site has a column of the declared tables."""
        return self.has(wanted.table.name, wanted.name)

    def own(self, declared: Table, name: str, otherwise: ColumnElement[Any]) -> ColumnElement[Any]:
        """A column of a declared table under its name, or what stands for it where the site has no such column."""
        return (declared.c[name] if self.has(declared.name, name) else otherwise).label(name)

    def holds(self, wanted: Column[Any], value: str) -> bool:
        """Whether the site has the column, and a text of that length fits into it."""
        length = self.length(wanted)
        return self.has_column(wanted) and (length is None or len(value) <= length)

    def length(self, wanted: Column[Any]) -> int | None:
        """How many characters a text in the column can have; None where it ends nowhere."""
        found = self.tables.get(wanted.table.name, {}).get(wanted.name)
        return found and found.length

    def fits(self, wanted: Column[Any], amount: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether an amount of as many decimal places fits into a column of decimal numbers that the site has."""
        digits = self.tables[wanted.table.name][wanted.name].digits
        return true() if digits is None else func.abs(amount) < 10**digits

    def missing(self, needed: Table) -> list[str]:
        """What the site lacks of a table: its name, or ``table.column`` for each column.

        Columns and tables that only older or newer versions have are never missing.
        """
        if not self.has(needed.name):
            return [] if is_optional(needed) else [needed.name]
        return [f"{c.table.name}.{c.name}" for c in needed.columns if not is_optional(c) and not self.has_column(c)]

    def whole(self, declared: Table) -> Table:
        """A declared table with all the columns that the site has, to write rows as Waldur itself would."""
        if declared.schema is not None:  # the program's own
            return declared
        return Table(
            declared.name,
            MetaData(),
            *(Column(c.name, _type(declared, c), primary_key=c.is_key) for c in self.tables[declared.name].values()),
        )

    def fitting(self, declared: Table, values: Mapping[str, Any]) -> dict[str, Any]:
        """``values`` without those of columns that only other versions of Waldur have."""
        lacking = {c.name for c in declared.columns if is_optional(c) and not self.has_column(c)}
        return {name: value for name, value in values.items() if name not in lacking}

    def demanded(self, name: str) -> list[SiteColumn]:
        """The columns that an insert into a table must name."""
        return [c for c in self.tables.get(name, {}).values() if c.demanded]

    def unfillable(self, target: Table) -> list[str]:
        """Columns of a newer schema that new rows of a table must give, and for which no neutral value is known."""
        unknown = [c for c in self.demanded(target.name) if c.name not in target.c]
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
        return {c.name: _neutral(target, c, as_of) for c in self.demanded(target.name) if c.name not in given}

    @staticmethod
    def _widened(target: Table, neutral: Mapping[str, Any]) -> Table | TableClause:
        if all(name in target.c for name in neutral):
            return target
        return table(
            target.name, *(column(c.name, c.type) for c in target.c), *(column(n) for n in neutral if n not in target.c)
        )


def _type(declared: Table, found: SiteColumn) -> Any:
    return declared.c[found.name].type if found.name in declared.c else type_of(found.type)


def _is_known(target: Table, wanted: SiteColumn) -> bool:
    try:
        _neutral(target, wanted, datetime.min.replace(tzinfo=UTC))
    except UnknownDemandedColumn:
        return False
    return True


def _neutral(target: Table, wanted: SiteColumn, as_of: datetime) -> ColumnElement[Any]:
    """What Waldur's own default would be, or most likely would be; a uuid is another one in every row."""
    if wanted.type == "uuid":
        return func.gen_random_uuid()
    kind = type_of(wanted.type)
    try:
        value = neutral_value(target.name, wanted.name, wanted.type, as_of)
    except NoNeutralValue as unknown:
        raise UnknownDemandedColumn(
            f"{unknown} must have a value in this site's schema, and none is known; "
            "a newer version of this program is needed for this site."
        ) from None
    return literal(value, kind) if isinstance(kind, NullType) else cast(literal(value, kind), kind)
