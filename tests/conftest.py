"""Real parts for tests: a PostgreSQL server for the whole run, a fresh database with Waldur's tables for each test."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, create_engine, text

from tests.scene import Scene
from waldur_dagster import schema
from waldur_dagster.demo import server
from waldur_dagster.outbox.migrate import migrate

PROJECT = Path(__file__).parents[1]
SHARED = PROJECT.parent / "shared"


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> URL:
    """The address of an embedded server of this test process."""
    url = server.url_of(server.start(tmp_path_factory.mktemp("postgresql"), after_exit="delete"))
    _forget_safety(url)
    return url


def _forget_safety(url: URL) -> None:
    """Nothing of a test's server has to survive a crash of the machine; making a database takes a fifth of the time."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()


@pytest.fixture(scope="session")
def template(postgresql: URL) -> str:
    """A database with Waldur's tables and content types that tests copy."""
    url = server.create_database(postgresql, "template_waldur")
    engine = create_engine(url)
    with engine.begin() as connection:
        schema.create_all(connection)
    engine.dispose()
    return "template_waldur"


@contextmanager
def _fresh(postgresql: URL, template: str) -> Iterator[Engine]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    engine = create_engine(
        server.create_database(postgresql, name, template), connect_args={"options": "-c timezone=UTC"}
    )
    yield engine
    engine.dispose()
    admin = create_engine(postgresql, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    admin.dispose()


@pytest.fixture
def database(postgresql: URL, template: str) -> Iterator[Engine]:
    """An engine on a database of this test alone."""
    with _fresh(postgresql, template) as engine:
        yield engine


@pytest.fixture
def twin_scene(postgresql: URL, template: str) -> Iterator[Scene]:
    """A scene on a second database, with the program's own schema, to compare with."""
    with _fresh(postgresql, template) as engine:
        migrate(engine)
        yield Scene(engine)


@pytest.fixture
def scene(database: Engine) -> Scene:
    """Rows of a small site, made by name."""
    return Scene(database)


@pytest.fixture
def outbox_scene(database: Engine) -> Scene:
    """A scene whose database has the program's own schema."""
    migrate(database)
    return Scene(database)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of facts about Waldur that some checkouts have beside them."""
    if not SHARED.is_dir():
        pytest.skip("no folder ../shared beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def waldur_schema(shared: Path) -> dict:
    return json.loads((shared / "waldur" / "schema.json").read_text())
