"""Where databases of tests lie: in memory where there is room, since making one there takes a tenth of the time."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

_OURS = "waldur-"
_MEMORY, _NEEDED = Path("/dev/shm"), 4 * 2**30  # bytes


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder for the temporary files of one run of the tests alone, removed at its end.

    pytest closes the folder that all runs share to other users whenever a run begins; a server of another run, which
    root starts as another user, loses its data then, and aborts. What killed runs have left is removed first. Its name
    is short: the path of a socket of PostgreSQL may have 107 characters.
    """
    base = Path(memory_folder() or tempfile.gettempdir())
    for left in base.glob(f"{_OURS}*"):
        pid = left.name.removeprefix(_OURS)
        if pid.isdecimal() and (int(pid) == os.getpid() or not psutil.pid_exists(int(pid))):
            shutil.rmtree(left, ignore_errors=True)
    folder = base / f"{_OURS}{os.getpid()}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def memory_folder() -> str | None:
    """A folder in memory with room for a whole run, from which programs can be started; None where there is none."""
    if not (_MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)) or os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC:
        return None
    return str(_MEMORY) if shutil.disk_usage(_MEMORY).free > _NEEDED else None
