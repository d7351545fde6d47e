"""Real runs in real processes, as `dagster job execute` makes them, that can be killed or held at any statement.

Loading Dagster takes seconds, so a process that has loaded it forks one for each run; the child does what the command
does. Every statement of the child on the site's database, and every COMMIT, is a point: they are counted from 1.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PROJECT = Path(__file__).parents[2]
LONGEST = 300.0  # seconds of one run
# What is said of a run that is held.
GO_ON, GIVE_UP = "go on", "give up"


@dataclass(frozen=True)
class Order:
    """A run to make: the command's words, the child's environment, and at which point it stops, and how."""

    words: Sequence[str]
    environment: Mapping[str, str]
    log: str
    trace: str
    at: int = 0
    signal: int = signal.SIGKILL


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit status, negative for a signal, None while it is held."""

    status: int | None
    points: list[str]
    log: str

    @property
    def problem(self) -> str:
        """What was raised, for people; not that Dagster says so."""
        raised = re.compile(r"(?!dagster\._core\.errors)[\w.]+(Failure|Error|Failed|Unreachable|Requested): ")
        lines = [line for line in self.log.splitlines() if raised.match(line)]
        return (lines or self.log.splitlines() or ["no word"])[0].strip()[:300]


class Launcher:
    """Makes one run at a time; a context manager."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.chaos.launcher"]
        self._server = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._order: Order | None = None
        self._is_held = False

    def run(self, order: Order) -> Ended:
        """Make a run, and wait until it ends or is held."""
        self.start(order)
        return self.wait()

    def start(self, order: Order) -> None:
        if self._is_held:  # by a trial that did not come to its end
            self._say(GIVE_UP)
            self.wait()
        self._order = order
        Path(order.trace).write_text("")
        self._say(asdict(order))

    def wait(self) -> Ended:
        """Until the run ends or is held."""
        assert self._server.stdout is not None and self._order is not None
        status = json.loads(self._server.stdout.readline())
        self._is_held = status is None
        points = Path(self._order.trace).read_text().splitlines()
        return Ended(status, points, Path(self._order.log).read_text(errors="replace"))

    def go_on(self) -> None:
        """Let a run that is held go on; ``wait`` for it."""
        self._say(GO_ON)

    def _say(self, what: Any) -> None:
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(what) + "\n")
        self._server.stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | TracebackType | BaseException | None) -> None:
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()


def serve() -> None:
    """What the process that forks does: an order a line, an answer a line."""
    _load()
    for line in sys.stdin:
        order = Order(**json.loads(line))
        child = os.fork()
        if child == 0:
            _be(order)
        timer = threading.Timer(LONGEST, os.kill, (child, signal.SIGKILL))
        timer.start()
        _, status = os.waitpid(child, os.WUNTRACED)
        while os.WIFSTOPPED(status):
            print(json.dumps(None), flush=True)
            if json.loads(sys.stdin.readline() or f'"{GIVE_UP}"') == GIVE_UP:
                os.kill(child, signal.SIGKILL)
            os.kill(child, signal.SIGCONT)
            _, status = os.waitpid(child, os.WUNTRACED)
        timer.cancel()
        timer.join()  # a fork must find no thread
        print(json.dumps(os.waitstatus_to_exitcode(status)), flush=True)


def _load() -> None:
    """What every run needs and nothing that belongs to one of them."""
    from dagster import _cli

    from waldur_dagster import definitions
    from waldur_dagster.outbox import delivery
    from waldur_dagster.platform import text_engine

    assert _cli and definitions and delivery and text_engine


def _be(order: Order) -> None:
    """The child: never returns."""
    os.setpgid(0, 0)
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.environ.update(order.environment)
    _watch(order)
    status = 70
    try:
        from dagster._cli import cli

        cli.main(args=list(order.words), prog_name="dagster", auto_envvar_prefix="DAGSTER_CLI")
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException as problem:
        os.write(log, f"{type(problem).__name__}: {problem}\n".encode())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _watch(order: Order) -> None:
    from sqlalchemy import Engine, event

    trace, lock = os.open(order.trace, os.O_WRONLY | os.O_APPEND), threading.Lock()
    count = 0

    def point(connection: Any, what: str) -> None:
        nonlocal count
        if connection.dialect.name != "postgresql":
            return
        with lock:
            count += 1
            os.write(trace, f"{' '.join(what.split())[:60]}\n".encode())
            if count == order.at:
                os.kill(os.getpid(), order.signal)

    event.listen(Engine, "before_cursor_execute", lambda connection, _, statement, *__: point(connection, statement))
    event.listen(Engine, "commit", lambda connection: point(connection, "COMMIT"))


if __name__ == "__main__":
    serve()
