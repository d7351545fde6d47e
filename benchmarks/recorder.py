"""Measuring a stage: time, statements, rows, and the memory of this process."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, event


@dataclass
class Stage:
    """One stage of a benchmark; ``peak`` is the most memory the process has had until its end, in MiB."""

    name: str
    seconds: float = 0.0
    rows: int = 0
    peak: float = 0.0
    statements: list[tuple[float, str]] = field(default_factory=list)


class Recorder:
    """Collects stages; counts the statements that an engine's connections send, with their times."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self._open: Stage | None = None

    def watch(self, engine: Engine) -> None:
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        self._open = stage = Stage(name)
        started = time.perf_counter()
        try:
            yield stage
        finally:
            stage.seconds = time.perf_counter() - started
            stage.peak = peak_memory()
            self.stages.append(stage)
            self._open = None

    def _before(self, connection: Any, *_: Any) -> None:
        connection.info["started"] = time.perf_counter()

    def _after(self, connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if self._open is not None:
            self._open.statements.append((time.perf_counter() - connection.info["started"], statement))


def peak_memory() -> float:
    """The most memory that this process has had so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
