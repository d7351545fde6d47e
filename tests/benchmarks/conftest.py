"""Databases for benchmarks: each measurement needs an empty one of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from sqlalchemy import URL, Engine, create_engine, text

from waldur_dagster.demo import server


@pytest.fixture(scope="module")
def new_database(postgresql: URL) -> Iterator[Callable[[], Engine]]:
    engines: list[Engine] = []

    def made() -> Engine:
        name = f"bench_{uuid4().hex[:12]}"
        engines.append(create_engine(server.create_database(postgresql, name)))
        return engines[-1]

    yield made
    admin = create_engine(postgresql, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for engine in engines:
            engine.dispose()
            connection.execute(text(f'DROP DATABASE "{engine.url.database}" WITH (FORCE)'))
    admin.dispose()
