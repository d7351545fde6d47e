"""What an outside system is to the trials of faults, and what its faults are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.faults import OF_ALL, OF_WEB, REFUSED
from tests.scene import Scene
from waldur_dagster.functions import Function
from waldur_dagster.schema.generations import Generation

ON_WEB = (REFUSED, *OF_ALL, *OF_WEB)
ON_WIRE = (REFUSED, *OF_ALL)
OUTSIDE = "outside changes"  # the figure of what was changed at systems
SECRET = "hidden-word"  # of systems whose tests have none of their own

# Makes rows of a site whose system is at a port, and gives what its deployment file says while they are needed.
Prepare = Callable[[Scene, int], AbstractContextManager[Mapping[str, Any]]]


@dataclass(frozen=True)
class System:
    """An outside system, and what visits it.

    ``do`` of ``entry`` visits it, item by item (``by_month``: of a month); None: the outbox delivers. ``taken``: faults
    after which what was sent has arrived all the same.

    ``does``: what the run does all the same at a system that is well, beside the one that breaks: a table that it
    writes, or a figure. ``changes``: of how many rows that were there before, by table, the run may write anything:
    those of the system that is well, and those in which a failure is kept. No row is ever lost.
    """

    name: str
    prepare: Prepare
    faults: tuple[str, ...] = ON_WEB
    entry: str = ""
    do: Function | None = None
    taken: tuple[str, ...] = ()
    does: str = ""
    changes: Mapping[str, int] = field(default_factory=dict)
    by_month: bool = False
    generation: Generation = Generation.OCTOBER_2024


def at(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def without(*faults: str) -> tuple[str, ...]:
    """All faults of the web but those that mean something else at this system."""
    return tuple(fault for fault in ON_WEB if fault not in faults)
