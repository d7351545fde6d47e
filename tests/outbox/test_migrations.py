"""An outbox of an older version is brought up to date with what waits in it."""

from __future__ import annotations

import pytest
from alembic import command
from sqlalchemy import Engine, select, text

from waldur_dagster.outbox import migrate
from waldur_dagster.outbox.tables import message


def _upgrade(engine: Engine, revision: str) -> None:
    config = migrate._config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


@pytest.mark.parametrize(
    ("kind", "url", "system"),
    [
        ("webhook", "https://user:secret@Hooks.example.org:8443/T/secret?x=1", "webhook hooks.example.org:8443"),
        ("webhook", "no address", "webhook "),
        ("mail", None, "mail"),
    ],
)
def test_what_waits_is_sorted_by_outside_system(database: Engine, kind: str, url: str | None, system: str) -> None:
    _upgrade(database, "0001")
    assert not migrate.is_current(database)
    with database.begin() as connection:
        row = "INSERT INTO waldur_dagster.outbox_message (key, kind, entry, run_id, payload)"
        values = "VALUES ('k', :kind, 'e', 'r', jsonb_build_object('url', CAST(:url AS text)))"
        connection.execute(text(f"{row} {values}"), {"kind": kind, "url": url})
    migrate.migrate(database)
    assert migrate.is_current(database)
    with database.connect() as connection:
        found = connection.execute(select(message)).one()
    assert (found.system, found.state, found.unknown, found.origin) == (system, "waiting", 0, None)


def test_the_tables_are_what_the_migrations_make(database: Engine) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from waldur_dagster.own_schema import SCHEMA, metadata

    migrate.migrate(database)
    with database.connect() as connection:
        options = {
            "include_schemas": True,
            "include_name": lambda name, kind, _: kind != "schema" or name == SCHEMA,
            "version_table_schema": SCHEMA,
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
