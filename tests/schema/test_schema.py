"""The tables are Waldur's, column by column."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import Engine, Table, inspect
from sqlalchemy.dialects import postgresql

from waldur_dagster.schema import OnDelete, metadata

TABLES = sorted(metadata.tables.values(), key=lambda table: table.name)


def _type(column) -> str:
    written = column.type.compile(postgresql.dialect()).lower()
    written = re.sub(r"^varchar", "character varying", written).replace(", ", ",")
    return {"timestamp without time zone": "timestamp"}.get(written, written)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_columns_are_those_of_the_platform(table: Table, waldur_schema: dict) -> None:
    facts = waldur_schema[table.name]
    expected = [(c["name"], c["type"], c["nullable"], bool(c.get("identity"))) for c in facts["columns"]]
    assert [(c.name, _type(c), c.nullable, c.identity is not None) for c in table.columns] == expected


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_keys_and_constraints_are_those_of_the_platform(table: Table, waldur_schema: dict) -> None:
    facts = waldur_schema[table.name]
    keys = {
        (key["name"], key["columns"][0], key["ref_table"], key["deferrable"])
        for key in facts["foreign_keys"]
        if key["ref_table"] in metadata.tables
    }
    own = {
        (key.name, key.parent.name, key.column.table.name, f"initially {key.initially}".lower())
        for key in table.foreign_keys
    }
    assert own == keys
    names = {c.name for c in table.constraints if type(c).__name__ in ("UniqueConstraint", "CheckConstraint")}
    assert names == {c["name"] for kind in ("uniques", "checks") for c in facts[kind]}
    assert {index.name for index in table.indexes} == {index["name"] for index in facts["indexes"]}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_what_happens_on_deletion_is_known(table: Table) -> None:
    assert all(isinstance(key.info["on_delete"], OnDelete) for key in table.foreign_keys)


def test_the_tables_can_be_made(database: Engine) -> None:
    made = inspect(database)
    for table in TABLES:
        assert [c["name"] for c in made.get_columns(table.name)] == [c.name for c in table.columns]
