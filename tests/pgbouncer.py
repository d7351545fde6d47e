"""PgBouncer, where Debian's is installed, before the server of the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import URL
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from tests.mail_server import free_port

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextmanager
def pgbouncer(database: URL, mode: str, *, ignored: str = "", on_connect: str = "") -> Iterator[URL]:
    """The address of a pool of the database, in ``transaction`` or ``session`` mode.

    ``ignored`` are start-up parameters that it drops; ``on_connect`` is what it does on each new server connection.
    """
    assert PGBOUNCER is not None
    with tempfile.TemporaryDirectory(prefix="bouncer-") as folder:
        port, home = free_port(), Path(folder)
        home.chmod(0o755)
        query = f" connect_query='{on_connect}'" if on_connect else ""
        socket = str(database.query["host"])
        (home / "users").write_text(f'"{database.username}" "unused"\n')
        (home / "pgbouncer.ini").write_text(
            f"[databases]\npooled = host={socket} dbname={database.database} user={database.username}{query}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            f"pool_mode = {mode}\nignore_startup_parameters = {ignored}\n"
        )
        # It refuses to run as root, and has to reach the server's socket.
        user = ["-u", pwd.getpwuid(os.stat(socket).st_uid).pw_name] if os.geteuid() == 0 else []
        process = subprocess.Popen(
            [PGBOUNCER, *user, str(home / "pgbouncer.ini")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        url = URL.create("postgresql", database.username, host="127.0.0.1", port=port, database="pooled")
        try:
            for attempt in Retrying(
                stop=stop_after_delay(20),
                wait=wait_fixed(0.05),
                retry=retry_if_exception_type(psycopg.OperationalError),
            ):
                with attempt, psycopg.connect(url.render_as_string()) as connection:
                    connection.execute("SELECT 1")
            yield url
        finally:
            process.terminate()
            process.wait()
