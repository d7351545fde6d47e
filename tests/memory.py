"""Where databases of tests lie: in memory where there is room, since making one there takes a tenth of the time."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_MEMORY, _NEEDED = Path("/dev/shm"), 4 * 2**30  # bytes


def memory_folder() -> str | None:
    """A folder in memory with room for the databases of a whole run, where programs may lie too; None: there is none."""
    if not (_MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)) or os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC:
        return None
    return str(_MEMORY) if shutil.disk_usage(_MEMORY).free > _NEEDED else None
