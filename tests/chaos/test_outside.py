"""Every outside system with a fault, and every fault at a system; `make chaos` tries all of them with each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.faults import OF_ALL, OF_MAIL, OF_WEB, REFUSED
from tests.chaos.outside import SYSTEMS, problems, short_time_outs
from tests.chaos.systems import System
from tests.conftest import Templates
from tests.scene import Scene

CHOSEN = [(system, system.faults[number % len(system.faults)]) for number, system in enumerate(SYSTEMS)]


@pytest.fixture(autouse=True)
def _short() -> Iterator[None]:
    with short_time_outs():
        yield


@pytest.mark.parametrize(("system", "fault"), CHOSEN, ids=[f"{system.name}, {fault}" for system, fault in CHOSEN])
def test_a_system_that_breaks_loses_nothing_and_is_told_of(templates: Templates, system: System, fault: str) -> None:
    with templates.databases(system.generation, migrated=True).lent() as engine:
        assert problems(Scene(engine), system, fault) == []


def test_the_table_has_the_faults_that_are_promised() -> None:
    assert {REFUSED, *OF_ALL, *OF_WEB, *OF_MAIL} >= {
        *("refused", "silent", "dripping", "endless", "reset", "junk", "redirect", "400", "401", "404", "500", "503"),
        *("dripping inside", "echo"),
    }
