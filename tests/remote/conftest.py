"""Remote Waldurs that are asked quickly."""

import pytest

from waldur_dagster.clients import patience, waldur


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(patience, "TIMEOUT", 1.0)
    monkeypatch.setattr(waldur, "PAUSE", 0.01)
