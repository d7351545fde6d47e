"""Databases that tests use one after the other.

Making one takes most of a second, since Waldur has some two thousand tables and indexes. So a database whose test only
changed rows is emptied for the next test; one whose tables were changed is thrown away.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from tests.engines import sharing_engine
from waldur_dagster.demo import server

OURS = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
SHAPE = f"""
    SELECT sum(hashtextextended(part, 0)), count(*) FROM (
        SELECT format('%s.%s %s %s %s %s %s', n.nspname, c.relname, a.attname, a.atttypid, a.atttypmod, a.attnotnull,
            (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d WHERE d.adrelid = c.oid AND d.adnum = a.attnum))
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {OURS} AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL SELECT format('%s %s %s', conname, conrelid, contype) FROM pg_constraint
        UNION ALL SELECT format('%s %s', tgrelid, tgname) FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT format('%s %s', n.nspname, p.proname) FROM pg_proc p
            JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {OURS}
        UNION ALL SELECT format('%s', n.nspname) FROM pg_namespace n WHERE {OURS}
    ) AS parts (part)"""
WRITTEN = f"""
    SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE {OURS} AND c.relkind = 'r' AND c.relname <> 'alembic_version' AND pg_relation_size(c.oid) > 0"""
RESTART = """
    SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) FROM pg_sequences
    WHERE last_value IS NOT NULL"""


class Databases:
    """Copies of a template database on one server, of which every test has one to itself."""

    def __init__(self, server_url: URL, template: str):
        self._server, self._template = server_url, template
        self._admin = create_engine(server_url, isolation_level="AUTOCOMMIT")
        self._free: list[URL] = []
        self._shape: object = None

    @contextmanager
    def lent(self) -> Iterator[Engine]:
        """An engine on an empty database, for one test."""
        url = self._free.pop() if self._free else self._made()
        engine = sharing_engine(url, connect_args={"options": "-c timezone=UTC"})
        try:
            yield engine
        finally:
            engine.dispose()
            if self._emptied(url):
                self._free.append(url)
            else:
                self._on_server(f'DROP DATABASE IF EXISTS "{url.database}" WITH (FORCE)', url)

    def _made(self) -> URL:
        url = server.create_database(self._server, f"test_{uuid.uuid4().hex[:12]}", self._template)
        if self._shape is None:
            engine = create_engine(url)
            with engine.connect() as connection:
                self._shape = _shape(connection)
            engine.dispose()
        return url

    def _emptied(self, url: URL) -> bool:
        """Take out all rows and start the numbers again; False when the tables are not what they were."""
        self._on_server("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name", url)
        engine = sharing_engine(url)
        try:
            with engine.begin() as connection:
                if _shape(connection) != self._shape:
                    return False
                connection.execute(text("SET session_replication_role = replica"))  # no triggers, no foreign keys
                for table in connection.scalars(text(WRITTEN)).all():
                    connection.execute(text(f"DELETE FROM {table}"))
                connection.execute(text(RESTART))
            return True
        except OperationalError:  # the test has dropped the database itself
            return False
        finally:
            engine.dispose()

    def _on_server(self, statement: str, url: URL) -> None:
        with self._admin.connect() as connection:
            connection.execute(text(statement), {"name": url.database})


def _shape(connection: Connection) -> object:
    return tuple(connection.execute(text(SHAPE)).one())
