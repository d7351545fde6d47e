"""Servers of these tests stand on loopback: nobody waits long for them."""

import pytest

from waldur_dagster.clients import patience


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(patience, "TIMEOUT", 0.5)
