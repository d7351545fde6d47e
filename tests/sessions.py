"""Sessions of a test's database, ended and waited for: the locks of one outlive its end, or its client, for a
moment, and longer on a busy machine."""

from __future__ import annotations

from sqlalchemy import Engine, text

OTHERS = "datname = current_database() AND pid <> pg_backend_pid()"
# Those of runs; a delivery's connections are among them.
OURS = "application_name = 'waldur-dagster' AND datname = current_database()"
_LOCKS = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def ending(which: str) -> str:
    """SQL that ends the sessions of which a condition on pg_stat_activity holds, and waits until they are gone."""
    return f"SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE {which}"


def is_unlocked(engine: Engine) -> bool:
    """Whether no run and no delivery holds an advisory lock on the database."""
    with engine.connect() as connection:
        return connection.scalar(_LOCKS) == 0
