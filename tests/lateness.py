"""Time limits of clients in tests: short only where a server of the test answers too late.

Elsewhere they are those of the product: a machine that is busy for a second fails no test.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import pytest

LATE = pytest.mark.late
# Seconds: of a client that is tested to wait no longer, and of the server's answer.
LIMIT, TOO_LONG = 1.0, 1.5


def _answer_late(*_: Any) -> None:
    time.sleep(TOO_LONG)


# A fault of a server, as a parameter of a test.
late_answer = pytest.param(_answer_late, marks=LATE)


def named(faults: Iterable[str]) -> list[Any]:
    """Parameters of a test: the names of faults, of which the one that is called slow is late."""
    return [pytest.param(name, marks=LATE if name == "slow" else ()) for name in faults]


def shorten(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, *limits: tuple[Any, str]) -> None:
    """Let attributes of modules, time limits in seconds, be short for the tests that are marked as late."""
    if request.node.get_closest_marker(LATE.name):
        for module, name in limits:
            monkeypatch.setattr(module, name, LIMIT)
