"""What the program declares of Waldur's tables is there in the versions it says, and the versions are Waldur's."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, Table
from sqlalchemy.dialects import postgresql

from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.schema import metadata
from waldur_dagster.schema.base import NEWER, OLDER
from waldur_dagster.schema.generations import LEFT_BEHIND, Generation, create_tables, deletion_rule, facts, make
from waldur_dagster.schema.types import type_of

TABLES = sorted(metadata.tables.values(), key=lambda table: table.name)
OLD, NEW = facts(Generation.OCTOBER_2024), facts(Generation.NEWEST)


# Only some sites have it, newer than those whose schemas are known (newer_billing 0).
ONLY_SOMEWHERE = {
    "marketplace_resource": {"paused_by_grace_period"},
    "marketplace_remote_remotelocalcategory": {"remote_category_name"},
}


def _columns(generation: dict, table: str) -> dict[str, str]:
    return {column["name"]: column["type"] for column in generation.get(table, {"columns": []})["columns"]}


def _mark(in_old: bool, in_new: bool) -> dict:
    assert in_old or in_new
    return {} if in_old and in_new else OLDER if in_old else NEWER


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_tables_and_columns_are_marked_by_the_versions_that_have_them(table: Table) -> None:
    assert table.info == _mark(table.name in OLD, table.name in NEW)
    old, new = _columns(OLD, table.name), _columns(NEW, table.name)
    marks = {c.name: c.info for c in table.columns}
    assert all(marks.pop(name) == NEWER for name in ONLY_SOMEWHERE.get(table.name, ()))
    if table.info:
        assert not any(marks.values())
        assert marks.keys() <= (old or new).keys()
    else:
        assert marks == {name: _mark(name in old, name in new) for name in marks}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_types_are_those_of_the_newest_version_that_has_the_column(table: Table) -> None:
    old, new = _columns(OLD, table.name), _columns(NEW, table.name)
    wanted = {c.name: _sql(type_of(new.get(c.name) or old[c.name])) for c in table.columns if c.name in old | new}
    assert {c.name: _sql(c.type) for c in table.columns if c.name in wanted} == wanted


def _sql(kind) -> str:
    """Sizes of text do not matter to a statement."""
    written = kind.compile(postgresql.dialect())
    return "VARCHAR" if written.startswith("VARCHAR") else written


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_declared_key_is_the_tables_own(table: Table) -> None:
    known = [version[table.name]["primary_key"]["columns"] for version in (OLD, NEW) if table.name in version]
    assert [c.name for c in table.primary_key.columns] in known


@pytest.mark.parametrize("generation", list(Generation))
@pytest.mark.parametrize("upgraded", [False, True], ids=["fresh", "upgraded"])
def test_a_database_is_made_with_every_column_and_key(database: Engine, generation: Generation, upgraded: bool) -> None:
    if upgraded and generation is Generation.OCTOBER_2024:
        pytest.skip("nothing is older than October 2024")
    with database.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
        create_tables(connection, generation, upgraded=upgraded)
    made, wanted = SiteSchema(database), facts(generation) | (facts(LEFT_BEHIND) if upgraded else {})
    assert {name: list(columns) for name, columns in made.tables.items()} == {
        name: [column["name"] for column in table["columns"]] for name, table in wanted.items()
    }
    found = {(r.child, r.column) for references in made.references.values() for r in references}
    assert found == {(name, key["columns"][0]) for name, table in wanted.items() for key in table["foreign_keys"]}


def test_deletion_follows_waldurs_own_rule_and_else_what_the_column_allows() -> None:
    assert deletion_rule("marketplace_resource", "plan_id", optional=True) == "cascade"
    assert deletion_rule("invoices_credittransaction", "credit_id", optional=True) == "cascade"
    assert deletion_rule("invoices_payment", "profile_id", optional=False) == "protect"
    assert deletion_rule("of_tomorrow", "resource_id", optional=True) == "set_null"
    assert deletion_rule("of_tomorrow", "resource_id", optional=False) == "cascade"


def test_the_data_files_are_what_their_script_makes(shared) -> None:
    for name, tables in make.make(shared / "waldur").items():
        assert facts(name) == tables
