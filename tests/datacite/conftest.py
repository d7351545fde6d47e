"""A DataCite for each test, whose pauses are short."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.datacite.server import DataCiteServer, datacite_server
from waldur_dagster.clients import datacite


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[DataCiteServer]:
    monkeypatch.setattr(datacite, "PAUSE", 0)
    with datacite_server() as made:
        yield made
