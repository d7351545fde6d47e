"""On every version of Waldur that is known each entry can run, or says truly what took its place."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from tempfile import gettempdir

import pytest
from sqlalchemy import URL, Engine, create_engine

from waldur_dagster.availability import NEEDS, reason_not_to_run
from waldur_dagster.availability.superseded import SUPERSEDED
from waldur_dagster.catalog import CATALOG
from waldur_dagster.cli.cutover import snippet
from waldur_dagster.definitions import implemented_entries
from waldur_dagster.demo import server
from waldur_dagster.deployment import parse_deployment
from waldur_dagster.outbox.migrate import migrate
from waldur_dagster.schema.generations import Generation, create_tables
from waldur_dagster.site import Site

SITES = {
    "2024-10": (Generation.OCTOBER_2024, False),
    "8": (Generation.NEWEST, False),
    "8, upgraded": (Generation.NEWEST, True),
}
# Entries that Waldur has got since October 2024, with the tables that came with them.
NEWER = {name: needs.since for name, needs in NEEDS.items() if needs.since}


@pytest.fixture(scope="module", params=SITES)
def site_of(request: pytest.FixtureRequest, postgresql: URL) -> Iterator[tuple[str, Engine]]:
    """A database with all tables of a kind of site, and its name."""
    generation, upgraded = SITES[request.param]
    engine = create_engine(server.create_database(postgresql, f"version_{uuid.uuid4().hex[:8]}"))
    with engine.begin() as connection:
        create_tables(connection, generation, upgraded=upgraded)
    migrate(engine)
    yield request.param, engine
    engine.dispose()


def _site(engine: Engine, **document: object) -> Site:
    url = engine.url.render_as_string(hide_password=False)
    store = {"celery": {"result_store_url": f"file://{gettempdir()}"}}
    return Site(parse_deployment({"database": {"url": url}} | store | document))


@pytest.mark.parametrize("entry", sorted(implemented_entries()))
def test_an_entry_can_run_or_says_what_took_its_place(site_of: tuple[str, Engine], entry: str) -> None:
    name, engine = site_of
    with _site(engine) as site:
        reason = reason_not_to_run(site, entry)
    if entry in SUPERSEDED and name != "2024-10":
        assert reason is not None and SUPERSEDED[entry].by in reason and f"[entries.{entry}]" in reason
    elif entry in NEWER and name == "2024-10":
        tables = ", ".join(table.name for table in NEWER[entry])
        assert reason == f"Not on this site: this site's Waldur does not have it, nor {tables}."
    else:
        assert reason is None


@pytest.mark.parametrize("entry", sorted(SUPERSEDED.keys() & implemented_entries()))
def test_a_superseded_entry_runs_where_the_deployment_says_so(site_of: tuple[str, Engine], entry: str) -> None:
    with _site(site_of[1], entries={entry: {"superseded": "run"}}) as site:
        assert reason_not_to_run(site, entry) is None


def test_the_cutover_knows_tasks_that_have_moved_and_entries_that_are_gone() -> None:
    told = snippet([CATALOG["pull-service-resources"], CATALOG["cancel_expired_group_invitations"]])
    moved, gone = (line for line in told.splitlines() if line.startswith('    "'))
    assert "waldur_mastermind.marketplace.ServiceResourcesListPullTask" in moved
    assert "no such entry" in gone
    assert "django_celery_beat_periodictask" in told
