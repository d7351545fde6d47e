"""Temporary tables: sets of rows that several statements of one step work on."""

from __future__ import annotations

import json
from tempfile import SpooledTemporaryFile
from typing import Any, Self

from sqlalchemy import (
    BigInteger,
    Column,
    Identity,
    Insert,
    MetaData,
    Select,
    Subquery,
    Table,
    TableClause,
    Update,
    column,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import CreateTable

from waldur_dagster.work import Work


def temporary_table(work: Work, name: str, source: Select[Any]) -> Table:
    """Keep the rows of a SELECT under a name, with statistics, until the transaction ends."""
    columns = [Column(c.name, c.type) for c in source.selected_columns]
    kept = _create(work, name, columns)
    work.connection.execute(kept.insert().from_select([c.name for c in columns], source))
    _analyze(work, kept)
    return kept


def temporary_returned(work: Work, name: str, statement: Insert | Update) -> Table:
    """Keep the rows that an ``INSERT`` or ``UPDATE ... RETURNING`` makes or changes, counted as such."""
    assert isinstance(statement.table, TableClause)
    made = statement.cte("made")
    columns = [Column(c.name, c.type) for c in made.c]
    kept = _create(work, name, columns)
    work.connection.execute(kept.insert().from_select([c.name for c in columns], select(*made.c)))
    count = work.connection.scalar(select(func.count()).select_from(kept)) or 0
    work.outcome.changed(statement.table.name, "inserted" if isinstance(statement, Insert) else "updated", count)
    _analyze(work, kept)
    return kept


class Spool:
    """Rows that the program makes one by one, however many: kept in a file until one COPY takes them to the database.

    So they need no memory and no statements of their own, and may be made from what a query is still streaming.
    ``types`` are the columns; values are what JSON holds, and what prints as the column reads it (decimals, dates).
    """

    IN_MEMORY = 2**20

    def __init__(self, work: Work, name: str, /, **types: Any):
        self._work = work
        self._name = name
        self._types = types
        self._file = SpooledTemporaryFile(max_size=self.IN_MEMORY)  # noqa: SIM115  closed on exit
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._count

    def add(self, **row: Any) -> None:
        self._file.write(json.dumps(row, default=str).encode() + b"\n")
        self._count += 1

    def loaded(self) -> Subquery:
        """The rows as a FROM clause, until the transaction ends; ``position`` counts them in the order of adding."""
        kept = _create(
            self._work,
            self._name,
            [Column("position", BigInteger, Identity()), Column("document", JSONB)],
        )
        driver = self._work.connection.connection.driver_connection
        assert driver is not None
        self._file.seek(0)
        # JSON in ASCII has no control characters, so with these two for CSV's signs every line is one value as it is.
        copy = f"COPY {self._name} (document) FROM STDIN (FORMAT csv, QUOTE e'\\x01', DELIMITER e'\\x02')"
        with driver.cursor() as cursor, cursor.copy(copy) as stream:
            while block := self._file.read(self.IN_MEMORY):
                stream.write(block)
        _analyze(self._work, kept)
        row = (
            func.jsonb_to_record(kept.c.document)
            .table_valued(*(column(name, kind) for name, kind in self._types.items()))
            .render_derived(name="row", with_types=True)
        )
        return select(kept.c.position, *row.c).select_from(kept.join(row, literal(True))).subquery(f"{self._name}_row")


def _create(work: Work, name: str, columns: list[Column[Any]]) -> Table:
    table = Table(name, MetaData(), *columns, prefixes=["TEMPORARY"], postgresql_on_commit="DROP")
    work.connection.execute(text(f"DROP TABLE IF EXISTS pg_temp.{name}"))  # steps of a dry run share a transaction
    work.connection.execute(CreateTable(table))
    return table


def _analyze(work: Work, table: Table) -> None:
    work.connection.execute(text(f"ANALYZE pg_temp.{table.name}"))
