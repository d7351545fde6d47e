"""Where databases of tests lie: in memory where there is room, since making one there takes a tenth of the time."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_MEMORY, _NEEDED = Path("/dev/shm"), 4 * 2**30  # bytes


def memory_folder() -> str | None:
    """A folder in memory with room for a whole run, from which programs can be started; None where there is none."""
    if not (_MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)) or os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC:
        return None
    return str(_MEMORY) if shutil.disk_usage(_MEMORY).free > _NEEDED else None
