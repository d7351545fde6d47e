"""Real parts for tests: a PostgreSQL server for the whole run, a fresh database with Waldur's tables for each test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, create_engine, text

from tests.databases import Databases
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


@pytest.fixture(scope="session")
def databases(postgresql: URL, template: str) -> Databases:
    return Databases(postgresql, template)


@pytest.fixture(scope="session")
def migrated_databases(postgresql: URL, template: str) -> Databases:
    """Those with the program's own schema."""
    url = server.create_database(postgresql, "template_migrated", template)
    engine = create_engine(url)
    migrate(engine)
    engine.dispose()
    return Databases(postgresql, "template_migrated")


@pytest.fixture
def database(databases: Databases) -> Iterator[Engine]:
    """An engine on a database of this test alone."""
    with databases.lent() as engine:
        yield engine


@pytest.fixture
def scene(database: Engine) -> Scene:
    """Rows of a small site, made by name."""
    return Scene(database)


@pytest.fixture
def outbox_scene(migrated_databases: Databases) -> Iterator[Scene]:
    """A scene whose database has the program's own schema."""
    with migrated_databases.lent() as engine:
        yield Scene(engine)


@pytest.fixture
def twin_scene(migrated_databases: Databases) -> Iterator[Scene]:
    """A scene on a second database, with the program's own schema, to compare with."""
    with migrated_databases.lent() as engine:
        yield Scene(engine)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of facts about Waldur that some checkouts have beside them."""
    if not SHARED.is_dir():
        pytest.skip("no folder ../shared beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def waldur_schema(shared: Path) -> dict:
    return json.loads((shared / "waldur" / "schema.json").read_text())
