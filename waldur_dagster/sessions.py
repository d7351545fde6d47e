"""Sessions of the site's database: the settings that they have, whether they may write, and whether they are sessions.

A run relies on its session: its advisory lock and its time limits belong to it. A connection pooler in transaction
mode lends a session for one transaction only, so that locks stay with whoever comes next; that is noticed and refused.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import OperationalError

from waldur_dagster.deployment_sections import Database
from waldur_dagster.far_dates import read_far_dates
from waldur_dagster.words import without

APPLICATION = "waldur-dagster"
# Limits on idle sessions that a server may have set for everybody; which of them there are depends on its version.
IDLE_LIMITS = ("idle_in_transaction_session_timeout", "idle_session_timeout", "transaction_timeout")
REMEDY = "let [database] url name PostgreSQL itself, or a pool of the pooler that is in session mode"


class SiteUnreachable(Exception):
    """The site's database does not answer; the text names the address, never the password."""


class SessionNotKept(SiteUnreachable):
    """Between this program and the database is a connection pooler that does not keep sessions."""

    def __init__(self, found: str):
        super().__init__(
            f"{found}: a connection pooler (PgBouncer in transaction mode?) is between this program and the database, "
            f"where neither locks nor time limits hold; {REMEDY}."
        )


class OnlyReads(SiteUnreachable):
    """The database takes no changes: it is a standby, or its transactions are read-only."""


def make_engine(database: Database) -> Engine:
    """An engine for short runs: nothing is pooled, sessions think in UTC and obey the deployment's limits only."""
    options = " ".join(f"-c {name}={value}" for name, value in _settings(database).items())
    engine = create_engine(
        database.sqlalchemy_url,
        poolclass=NullPool,
        hide_parameters=True,  # errors show statements, and never what was bound to them
        connect_args={
            "options": options,
            "application_name": APPLICATION,
            "connect_timeout": database.connect_timeout,
        },
    )
    event.listen(engine, "connect", _lift_limits)
    read_far_dates(engine)
    return engine


def _lift_limits(connection: Any, _: Any) -> None:
    """Limits of the server's own on idle sessions do not hold; older servers do not know all of these settings."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = ANY(%s)", (list(IDLE_LIMITS),)
        )
    connection.commit()


def _settings(database: Database) -> dict[str, str]:
    return {
        "timezone": "UTC",
        "statement_timeout": f"{database.statement_timeout}s",
        "lock_timeout": f"{database.lock_timeout}s",
        "idle_in_transaction_session_timeout": "0",
    }


def require_session(engine: Engine, connection: Connection, database: Database) -> int:
    """The number of the server process that serves ``connection``, now and from now on.

    Raises SessionNotKept when the connection's settings are not those that were asked for, or when its next transaction
    is another session's.
    """
    _require_settings(connection, database)
    process = _process(connection)
    # While a second connection holds a session, the first one's next transaction has to be served by its own.
    with engine.connect() as second:
        other = int(second.scalar(text("SELECT pg_backend_pid()")) or 0)
        if other == process or _process(connection) != process:
            raise SessionNotKept("Two connections share one session")
    return process


def _require_settings(connection: Connection, database: Database) -> None:
    asked = _settings(database)
    same = text(
        "SELECT name FROM unnest(CAST(:names AS text[]), CAST(:asked AS text[])) AS wanted (name, value) "
        "WHERE CASE WHEN value ~ '^[0-9]+s?$' THEN CAST(current_setting(name) AS interval) <> CAST(value AS interval) "
        "ELSE current_setting(name) <> value END"
    )
    wrong = list(connection.scalars(same, {"names": list(asked), "asked": list(asked.values())}))
    connection.rollback()
    if wrong:
        raise SessionNotKept(f"Settings that were asked for do not hold ({', '.join(wrong)})")


def require_writable(engine: Engine, connection: Connection) -> None:
    """Raises OnlyReads when transactions of ``connection`` may change nothing."""
    asked = text("SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on', current_user")
    standby, only_reads, role = connection.execute(asked).one()
    connection.rollback()
    address = _address(engine)
    if standby:
        raise OnlyReads(f"{address} is a standby, which can only be read; let [database] url name its primary.")
    if only_reads:
        raise OnlyReads(
            f"{address} can only be read (default_transaction_read_only is on for {role}); switch that off, or let "
            "[database] url name a server that takes changes."
        )


def _process(connection: Connection) -> int:
    process = connection.scalar(text("SELECT pg_backend_pid()"))
    connection.rollback()
    return int(process or 0)


def unreachable(engine: Engine, error: OperationalError) -> SiteUnreachable:
    """What a failed attempt to connect comes to."""
    address, reason = _address(engine), without(str(error.orig).strip())
    if "startup parameter" in reason:
        return SessionNotKept(f"{address} takes no settings ({reason})")
    return SiteUnreachable(f"No connection to {address}: {reason}")


def _address(engine: Engine) -> str:
    return without(engine.url.render_as_string(hide_password=True))
