"""`make chaos`: pairs of jobs and junk on a small site, as many as a size says; prints figures and what fell.

The site is made on a server of its own, which is deleted afterwards. Ends with 1 when anything fell.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import create_engine

from tests.chaos.junk import Junk, dry_run, junk_in, missed, places
from tests.chaos.pairs import Job, meetings
from tests.chaos.steps import small_site, steps
from waldur_dagster.demo import server
from waldur_dagster.deployment import Deployment
from waldur_dagster.outbox.migrate import migrate
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema.generations import Generation, create_tables

JUNE = datetime(2025, 6, 1, 4, tzinfo=UTC)
# Every so many statements of a job, every so many places of junk.
SIZES = {"small": (5, 40), "full": (1, 1)}


def main(size: str) -> int:
    every_statement, every_place = SIZES[size]
    with tempfile.TemporaryDirectory(prefix="waldur-chaos-") as folder:
        address = server.url_of(server.start(Path(folder) / "postgresql", after_exit="delete"))
        engine = create_engine(server.create_database(address, "site"))
        with engine.begin() as connection:
            create_tables(connection, Generation.OCTOBER_2024)
        migrate(engine)
        deployment = small_site(engine)
        usual = {job: dry_run(deployment, job) for job in (Job(name, do, JUNE) for name, do in steps().items())}
        busy = {job: outcome for job, outcome in usual.items() if outcome.rows}
        fell = _report("meetings of two jobs", _pairs(deployment, list(busy), every_statement))
        fell += _report("runs with junk in a row", _junk(deployment, busy, every_place))
        engine.dispose()
    return int(fell > 0)


def _report(what: str, tried: Iterator[list[str]]) -> int:
    count = fell = 0
    for problems in tried:
        count += 1
        fell += bool(problems)
        for problem in problems:
            print(f"  {problem}", flush=True)
    print(f"{what}: {count:,} tried, {fell:,} fell", flush=True)
    return fell


def _pairs(deployment: Deployment, jobs: list[Job], every: int) -> Iterator[list[str]]:
    for first, second in itertools.permutations(jobs, 2):
        for found in meetings(deployment, first, second, every):
            yield [f"{first.name} with {second.name}: {name}: {p}" for name, p in found.problems.items()]


def _junk(deployment: Deployment, busy: dict[Job, Outcome], every: int) -> Iterator[list[str]]:
    engine = create_engine(deployment.database.sqlalchemy_url)
    all_of_it = [Junk(table, column, value) for table, column, values in places(engine) for value in values]
    for junk in all_of_it[::every]:
        with junk_in(engine, junk) as taken:
            for job, usual in busy.items() if taken else ():
                yield _with_junk(deployment, job, usual, junk)
    engine.dispose()


def _with_junk(deployment: Deployment, job: Job, usual: Outcome, junk: Junk) -> list[str]:
    try:
        found = dry_run(deployment, job)
    except Exception as problem:  # that is what is looked for
        return [f"{job.name}: {junk}: {type(problem).__name__}: {str(problem).partition(chr(10))[0]}"]
    return [f"{job.name}: {junk}: {one}" for one in missed(usual, found)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "small"))
