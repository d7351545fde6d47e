"""Measuring a stage: time, work of the processors, statements, rows, and the memory of this process."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psutil
from sqlalchemy import Engine, event, text


@dataclass
class Stage:
    """One stage of a benchmark, or the sum of some.

    ``cpu``: seconds that this process and the PostgreSQL server have worked, which do not grow much when other programs
    keep the machine busy. ``peak``: the most memory that the process has had until its end, in MiB.
    """

    name: str
    seconds: float = 0.0
    cpu: float = 0.0
    rows: int = 0
    peak: float = 0.0
    statements: list[tuple[float, str]] = field(default_factory=list)
    is_sum: bool = False

    @classmethod
    def sum(cls, name: str, stages: Sequence[Stage]) -> Stage:
        return cls(
            name,
            sum(stage.seconds for stage in stages),
            sum(stage.cpu for stage in stages),
            sum(stage.rows for stage in stages),
            max(stage.peak for stage in stages),
            [statement for stage in stages for statement in stage.statements],
            is_sum=True,
        )


class Recorder:
    """Collects stages; counts the statements that an engine's connections send, with their times.

    The server must run on this machine.
    """

    def __init__(self, engine: Engine) -> None:
        self.stages: list[Stage] = []
        self._open: Stage | None = None
        with engine.connect() as connection:
            backend = psutil.Process(connection.scalar(text("SELECT pg_backend_pid()")))
        self._server = psutil.Process(backend.ppid())

    def watch(self, engine: Engine) -> None:
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        self._open = stage = Stage(name)
        worked, started = self._cpu(), time.perf_counter()
        try:
            yield stage
        finally:
            stage.seconds = time.perf_counter() - started
            stage.cpu = self._cpu() - worked
            stage.peak = peak_memory()
            self.stages.append(stage)
            self._open = None

    def _before(self, connection: Any, *_: Any) -> None:
        connection.info["started"] = time.perf_counter()

    def _after(self, connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if self._open is not None:
            took = time.perf_counter() - connection.info["started"]
            self._open.statements.append((took, sys.intern(statement)))  # one text, however often it was sent

    def _cpu(self) -> float:
        """Seconds that this process, the server and the server's processes, also those that ended, have worked."""
        server = self._server.cpu_times()
        worked = time.process_time() + sum(server[:4])
        for process in self._server.children():
            with suppress(psutil.NoSuchProcess):
                worked += sum(process.cpu_times()[:2])
        return worked


def peak_memory() -> float:
    """The most memory that this process has had so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
