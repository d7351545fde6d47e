"""A loopback eduTEAMS, and settings that lead to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.eduteams.scenes import Eduteams
from tests.lateness import shorten
from waldur_dagster.clients import patience


@pytest.fixture(autouse=True)
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.01)
    shorten(request, monkeypatch, (patience, "TIMEOUT"))


@pytest.fixture
def eduteams() -> Eduteams:
    return Eduteams()


@pytest.fixture
def settings(eduteams: Eduteams) -> Iterator[dict[str, Any]]:
    with eduteams.serve() as found:
        yield found
