"""Junk in rows, and jobs that meet at every statement, on a small site in this process."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import URL, create_engine

from tests.chaos.junk import Junk, Usual, junk_in, places, troubles, usual_of
from tests.chaos.pairs import Job, meetings
from tests.chaos.sizes import Size
from tests.chaos.steps import small_site, steps
from waldur_dagster.demo import server
from waldur_dagster.deployment import Deployment
from waldur_dagster.outbox.migrate import migrate
from waldur_dagster.schema.generations import Generation, create_tables

JUNE = datetime(2025, 6, 1, 4, tzinfo=UTC)


@contextmanager
def _busy(server_url: URL) -> Iterator[tuple[Deployment, dict[Job, Usual]]]:
    """A small site, and what each of the jobs that have work there would do."""
    engine = create_engine(server.create_database(server_url, "site"))
    with engine.begin() as connection:
        create_tables(connection, Generation.OCTOBER_2024)
    migrate(engine)
    deployment = small_site(engine)
    usual = {job: usual_of(deployment, job) for job in (Job(name, do, JUNE) for name, do in steps().items())}
    engine.dispose()
    yield deployment, {job: one for job, one in usual.items() if one.outcome.rows}


def all_meetings(server_url: URL, size: Size) -> Iterator[list[str]]:
    with _busy(server_url) as (deployment, busy):
        for first, second in itertools.permutations(busy, 2):
            for found in meetings(deployment, first, second, size.every_statement):
                yield [f"{first.name} with {second.name}: {name}: {p}" for name, p in found.problems.items()]


def all_junk(server_url: URL, size: Size) -> Iterator[list[str]]:
    with _busy(server_url) as (deployment, busy):
        engine = create_engine(deployment.database.sqlalchemy_url)
        all_of_it = [Junk(table, column, value) for table, column, values in places(engine) for value in values]
        for junk in all_of_it[:: size.every_place]:
            with junk_in(engine, junk) as taken:
                for job, usual in busy.items() if taken else ():
                    yield troubles(engine, deployment, job, usual, junk)
        engine.dispose()
