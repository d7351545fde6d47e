"""Servers of these tests stand on loopback: nobody waits long for them."""

import pytest

from tests.lateness import shorten
from waldur_dagster.clients import patience


@pytest.fixture(autouse=True)
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.01)
    shorten(request, monkeypatch, (patience, "TIMEOUT"))
