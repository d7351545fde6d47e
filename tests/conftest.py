"""Real parts for tests: a PostgreSQL server for the whole run, a fresh database with Waldur's tables for each test."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, create_engine, text

from tests.databases import Databases
from tests.engines import sharing_engine, sharing_tables
from tests.memory import own_folder
from tests.scene import Scene
from waldur_dagster import sessions
from waldur_dagster.availability import NEEDS
from waldur_dagster.availability.writes import WRITES
from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.demo import server
from waldur_dagster.outbox.migrate import migrate
from waldur_dagster.schema.generations import Generation, create_tables
from waldur_dagster.site import Site
from waldur_dagster.words import forget_secrets
from waldur_dagster.work import Work

RIGHTS = {"inserted": "INSERT", "updated": "UPDATE", "deleted": "DELETE"}
PROJECT = Path(__file__).parents[1]
SHARED = PROJECT.parent / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--generation", default=str(Generation.OCTOBER_2024), help="the version of Waldur of tests that name none"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Workers get their temporary folders from the process that starts them; who names one keeps what is in it."""
    if config.option.basetemp is None and "PYTEST_DEBUG_TEMPROOT" not in os.environ:
        until_the_end = ExitStack()
        config.option.basetemp = str(until_the_end.enter_context(own_folder()))
        config.add_cleanup(until_the_end.close)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that mostly wait begin at once: at the end the other workers would wait for them."""
    items.sort(key=lambda item: item.get_closest_marker("waits") is None)


def pytest_collection_finish() -> None:
    """Modules and tests stay: looking through them for garbage again and again takes a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


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
        for setting in ("fsync = off", "full_page_writes = off", "synchronous_commit = off", "max_wal_size = '128MB'"):
            connection.execute(text(f"ALTER SYSTEM SET {setting}"))
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()


@pytest.fixture(autouse=True)
def _only_declared_tables_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test has an entry write that it needs of a site: the check of rights knows of it."""
    work = Site.work

    @contextmanager
    def watched(self: Site, entry: str, as_of: datetime, **options: Any) -> Iterator[Work]:
        with work(self, entry, as_of, **options) as unit:
            yield unit
        needed = {table.name for table in NEEDS[entry].tables} if entry in NEEDS else set()
        for name in needed & unit.outcome.rows.keys():
            done = {RIGHTS[kind] for kind, count in unit.outcome.rows[name].items() if count}
            assert done <= set(WRITES.get(entry, {}).get(name, ())), f"{entry} writes {name}: {done}"

    monkeypatch.setattr(Site, "work", watched)


@pytest.fixture(autouse=True, scope="session")
def _statements_are_compiled_and_tables_read_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "create_engine", sharing_engine)
        patch.setattr(SiteSchema, "tables", sharing_tables)
        yield


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests() -> None:
    """What one test keeps secret may be a plain word of another."""
    forget_secrets()


class Templates:
    """Databases that tests copy, one for each generation of Waldur, made when the first test wants one."""

    def __init__(self, server_url: URL):
        self._server = server_url
        self._databases: dict[tuple[Generation, bool], Databases] = {}

    def databases(self, generation: Generation, *, migrated: bool) -> Databases:
        """Those with Waldur's tables; ``migrated``: with the program's own schema too."""
        if (generation, migrated) not in self._databases:
            name = f"template_{generation}{'_migrated' if migrated else ''}"
            url = server.create_database(self._server, name)
            engine = create_engine(url)
            with engine.begin() as connection:
                create_tables(connection, generation)
            if migrated:
                migrate(engine)
            engine.dispose()
            self._databases[generation, migrated] = Databases(self._server, name)
        return self._databases[generation, migrated]


@pytest.fixture(scope="session")
def templates(postgresql: URL) -> Templates:
    return Templates(postgresql)


@pytest.fixture
def generation(request: pytest.FixtureRequest) -> Generation:
    """The version of Waldur whose tables the test has: ``@pytest.mark.generation("8")``, else October 2024."""
    mark = request.node.get_closest_marker("generation")
    return Generation(mark.args[0] if mark else request.config.getoption("--generation"))


@pytest.fixture
def databases(templates: Templates, generation: Generation) -> Databases:
    return templates.databases(generation, migrated=False)


@pytest.fixture
def migrated_databases(templates: Templates, generation: Generation) -> Databases:
    return templates.databases(generation, migrated=True)


@pytest.fixture
def database(databases: Databases) -> Iterator[Engine]:
    """An engine on a database of this test alone, with Waldur's tables and without the program's own schema."""
    with databases.lent() as engine:
        yield engine


@pytest.fixture
def scene(migrated_databases: Databases) -> Iterator[Scene]:
    """Rows of a small site, made by name; its database has the program's own schema."""
    with migrated_databases.lent() as engine:
        yield Scene(engine)


@pytest.fixture
def twin_scene(migrated_databases: Databases) -> Iterator[Scene]:
    """A scene on a second database, to compare with."""
    with migrated_databases.lent() as engine:
        yield Scene(engine)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of facts about Waldur that some checkouts have beside them."""
    if not SHARED.is_dir():
        pytest.skip("no folder ../shared beside this checkout")
    return SHARED
