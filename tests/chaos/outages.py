"""A database that restarts, that holds back, that takes too long, and whose disk is full, while a run is at work."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

from tests.chaos.launcher import Launcher
from tests.chaos.places import Copy, Place
from tests.chaos.trials import Usual

# Seconds. At a COMMIT, which only waits for locks of deferred keys, no limit of statements holds.
STATEMENT_LIMIT, LOCK_LIMIT = 1, 3
ROOM = "16m"


def restarted(launcher: Launcher, place: Place, name: str, at: int, undisturbed: Usual) -> list[str]:
    """The server crashes and comes back while the run stands at a point; the run ends as if nothing had been."""
    with place.copied() as copy:
        if launcher.run(copy.order(name, at=at, signal=signal.SIGSTOP)).status is not None:
            return []  # it has not come so far
        place.restart()
        launcher.go_on()
        ended = launcher.wait()
        if ended.status != undisturbed.runs[0].status:
            return [f"ended with {ended.status}: {ended.problem}"]
        return undisturbed.missed(copy)


def held_back(launcher: Launcher, place: Place, name: str, at: int, undisturbed: Usual) -> list[str]:
    """A statement takes longer than it may: the run fails and says so, and the next one does all of it."""
    with place.copied() as copy:
        limits = {"statement_timeout": STATEMENT_LIMIT, "lock_timeout": LOCK_LIMIT}
        if launcher.run(copy.order(name, at=at, signal=signal.SIGSTOP, database=limits)).status is not None:
            return []
        with _locked(copy):
            launcher.go_on()
            ended = launcher.wait()
        if ended.status == 0:  # it had nothing more to write
            return undisturbed.missed(copy)
        if "statement timeout" not in ended.log and "lock timeout" not in ended.log:
            return [f"does not say why it failed: {ended.problem}"]
        again = launcher.run(copy.order(name, again=True))
        if again.status != undisturbed.runs[0].status:
            return [f"the next run ended with {again.status}: {again.problem}"]
        return undisturbed.missed(copy)


@contextmanager
def _locked(copy: Copy) -> Iterator[None]:
    """Nobody else writes meanwhile."""
    tables = text("SELECT string_agg(format('%I', tablename), ', ') FROM pg_tables WHERE schemaname = 'public'")
    with copy.engine.connect() as connection:
        connection.execute(text("SET lock_timeout = '30s'"))
        names = connection.scalar(tables)
        # What the run that is held has locked itself is left out.
        others = text(
            "SELECT DISTINCT relation::regclass::text FROM pg_locks "
            "WHERE relation IS NOT NULL AND pid <> pg_backend_pid()"
        )
        busy = set(connection.scalars(others))
        free = [name for name in str(names).split(", ") if name not in busy]
        connection.execute(text(f"LOCK TABLE {', '.join(free)} IN EXCLUSIVE MODE"))
        yield
        connection.rollback()


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A disk of a few megabytes; None where this user may not make one."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = shutil.which("mount")
    made = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if not made or made.returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def full_disk(launcher: Launcher, place: Place, name: str, undisturbed: Usual, disk: Path) -> list[str]:
    """The disk of the tables that the run adds rows to is full: the run fails, and the next one does all of it."""
    filled = [table for table, ids in undisturbed.rows.ids.items() if ids - undisturbed.known.get(table, set())]
    if not filled:
        return []
    with place.copied() as copy, _on_disk(copy, filled, disk):
        filler = disk / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 4096)
            except OSError:
                pass
        ended = launcher.run(copy.order(name))
        filler.unlink()
        if ended.status == 0:  # there was room in the pages that the tables had
            return undisturbed.missed(copy)
        if "DiskFull" not in ended.log and "No space left" not in ended.log:
            return [f"does not say why it failed: {ended.problem}"]
        again = launcher.run(copy.order(name, again=True))
        if again.status != undisturbed.runs[0].status:
            return [f"the next run ended with {again.status}: {again.problem}"]
        return undisturbed.missed(copy)


@contextmanager
def _on_disk(copy: Copy, tables: list[str], disk: Path) -> Iterator[None]:
    data = disk / "data"
    data.mkdir()
    with copy.engine.connect() as connection:
        owner = Path(str(connection.scalar(text("SHOW data_directory")))).stat()
    os.chown(data, owner.st_uid, owner.st_gid)
    os.chmod(data, 0o700)
    admin = create_engine(copy.engine.url, isolation_level="AUTOCOMMIT")
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE TABLESPACE small LOCATION '{data}'"))
            for table in tables:
                schema = "waldur_dagster" if table.startswith("outbox_") else "public"
                connection.execute(text(f'ALTER TABLE {schema}."{table}" SET TABLESPACE small'))
        yield
        with admin.connect() as connection:
            for table in tables:
                schema = "waldur_dagster" if table.startswith("outbox_") else "public"
                connection.execute(text(f'ALTER TABLE {schema}."{table}" SET TABLESPACE pg_default'))
            connection.execute(text("DROP TABLESPACE small"))
    finally:
        admin.dispose()
        shutil.rmtree(data, ignore_errors=True)
