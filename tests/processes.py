"""Real processes beside the test: started with a piece of Python, watched, and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).parents[1]
PATIENCE = 60.0


def started(code: str, *arguments: str) -> subprocess.Popen[str]:
    """A Python process in the project's folder that runs ``code`` with arguments; a few lines of output are kept."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, cwd=PROJECT, env=os.environ, stdout=subprocess.PIPE, text=True)


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    assert process.wait() == -signal.SIGKILL


def wait_until(condition: Callable[[], bool]) -> None:
    """Raises TimeoutError when it does not come true."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.02)
