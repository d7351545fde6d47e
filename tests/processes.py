"""Real processes beside the test: started with a piece of Python, watched, and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from tests.sessions import is_unlocked

PROJECT = Path(__file__).parents[1]
PATIENCE = 300.0  # seconds; what comes true at all comes in a few, or many more on a busy machine


def started(code: str, *arguments: str) -> subprocess.Popen[str]:
    """A Python process in the project's folder that runs ``code`` with arguments; a few lines of output are kept."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, cwd=PROJECT, env=os.environ, stdout=subprocess.PIPE, text=True)


def kill(process: subprocess.Popen[str], engine: Engine) -> None:
    """Kill a process that is at work on a database; returns when the database has noticed."""
    process.kill()
    wait_until_killed(process, engine)


def wait_until_killed(process: subprocess.Popen[str], engine: Engine) -> None:
    """The same for a process that is killed by others, or by itself."""
    assert process.wait() == -signal.SIGKILL
    wait_until(partial(is_unlocked, engine))


def halting(when: Callable[[], bool]) -> tuple[Callable[..., None], threading.Event]:
    """A fault of a server on loopback: once something is so, no request is answered until the event is set.

    A process that is killed then is killed in the middle, however slow or fast the machine is.
    """
    go_on = threading.Event()

    def fault(*_: Any) -> None:
        if not go_on.is_set() and when():
            go_on.wait(PATIENCE)

    return fault, go_on


def wait_until(condition: Callable[[], bool]) -> None:
    """Raises TimeoutError when it does not come true."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.02)
