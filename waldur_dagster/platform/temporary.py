"""Temporary tables: sets of rows that several statements of one step work on."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Insert, MetaData, Select, Table, TableClause, Update, func, select, text
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


def _create(work: Work, name: str, columns: list[Column[Any]]) -> Table:
    table = Table(name, MetaData(), *columns, prefixes=["TEMPORARY"], postgresql_on_commit="DROP")
    work.connection.execute(text(f"DROP TABLE IF EXISTS pg_temp.{name}"))  # steps of a dry run share a transaction
    work.connection.execute(CreateTable(table))
    return table


def _analyze(work: Work, table: Table) -> None:
    work.connection.execute(text(f"ANALYZE pg_temp.{table.name}"))
