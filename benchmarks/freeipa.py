"""How much work synchronizing the groups of a large site with FreeIPA is.

``python -m benchmarks.freeipa`` makes a site of 10,000 customers and 50,000 projects with two people each on an
embedded server and, in a process of its own, an empty FreeIPA on loopback. The first run makes every group, the second
finds nothing to do, and the third what one customer in a hundred has changed.
"""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from sqlalchemy import Engine, update

from benchmarks import runner
from benchmarks.recorder import Recorder
from benchmarks.runner import DirectoryOption
from tests.freeipa.scenes import NOW, settings
from waldur_dagster.freeipa.entries import sync_groups
from waldur_dagster.outbox.migrate import migrate
from waldur_dagster.schema import core, django, freeipa, permissions, structure
from waldur_dagster.schema.generations import Generation, create_tables
from waldur_dagster.site import Site

PEOPLE, PROJECTS = 5000, 5  # people in all; projects of each customer
ENTRY = "waldur-freeipa-sync-groups"
MOST_CPU = 60.0  # seconds of this process, for each run
MOST_MEMORY = 1024.0  # MiB

app = typer.Typer(add_completion=False)


@app.command()
def measure(customers: int = 10_000, directory: DirectoryOption = None) -> None:
    """Synchronize three times, and tell seconds, requests and statements of each."""
    console = Console()
    worked: list[tuple[str, float]] = []
    with runner.empty_database(directory, console) as (engine, tell), _freeipa() as (url, requests):
        tell("making the site")
        _make(engine, customers)
        recorder = Recorder(engine)
        told = []
        for name, before in (("all is new", None), ("nothing differs", None), ("1 % differs", _rename)):
            if before is not None:
                before(engine)
            tell(name)
            asked, begun = requests(), time.process_time()
            with Site(runner.deployment_of(engine, {"WALDUR_FREEIPA": settings(url)})) as site:
                with recorder.stage(name) as stage:
                    recorder.watch(site.engine)
                    sync_groups(site.transactions(ENTRY, NOW))
                stage.rows = sum(site.outcome.figures[f] for f in site.outcome.figures if "groups" in f)
                assert not site.outcome.failures, site.outcome.failures[:3]
            worked.append((f"CPU seconds of the program, {name}", time.process_time() - begun))
            told.append(f"{name}: {worked[-1][1]:.1f} CPU seconds of the program, {requests() - asked:,} requests")
    console.print(runner.stage_table(f"{customers:,} customers", [recorder.stages]))
    for line in told:
        console.print(line)
    figures = [(what, seconds, MOST_CPU) for what, seconds in worked]
    memory = ("MiB of memory", max(stage.peak for stage in recorder.stages), MOST_MEMORY)
    runner.conclude(console, runner.missed([*figures, memory]))


@contextmanager
def _freeipa() -> Iterator[tuple[str, Callable[[], int]]]:
    """The server's address, and what tells how many requests it has had."""
    command = [sys.executable, "-m", "tests.freeipa_server", str(PEOPLE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdin is not None and running.stdout is not None
        stdin, stdout = running.stdin, running.stdout

        def requests() -> int:
            print("requests", file=stdin, flush=True)
            return int(stdout.readline())

        yield stdout.readline().strip(), requests
        running.terminate()


def _make(engine: Engine, customers: int) -> None:
    with engine.begin() as connection:
        create_tables(connection, Generation.OCTOBER_2024)
    migrate(engine)
    with Site(runner.deployment_of(engine)) as site, site.work(ENTRY, NOW) as work:
        work.insert(django.content_type, [{"app_label": "structure", "model": m} for m in ("customer", "project")])
        people = range(1, PEOPLE + 1)
        work.insert(core.user, [{"id": n, "username": f"u{n}", "uuid": uuid.uuid4(), "slug": f"u{n}"} for n in people])
        work.insert(
            freeipa.profile,
            [{"user_id": n, "username": f"waldur_u{n}", "is_active": True, "agreement_date": NOW} for n in people],
        )
        work.insert(permissions.role, [{"id": 1, "name": "MEMBER", "content_type_id": 1}])
        work.insert(
            structure.customer,
            [{"id": n, "name": f"Customer {n}", "uuid": uuid.uuid4()} for n in range(1, customers + 1)],
        )
        work.insert(
            structure.project,
            [
                {"id": n, "name": f"Project {n}", "uuid": uuid.uuid4(), "customer_id": (n - 1) // PROJECTS + 1}
                for n in range(1, customers * PROJECTS + 1)
            ],
        )
        for content_type, count in ((1, customers), (2, customers * PROJECTS)):
            work.insert(
                permissions.userrole,
                [
                    {"content_type_id": content_type, "object_id": n, "user_id": (n * 7 + k) % PEOPLE + 1}
                    | {"role_id": 1, "is_active": True}
                    for n in range(1, count + 1)
                    for k in range(2)
                ],
            )


def _rename(engine: Engine) -> None:
    renamed = update(structure.customer).where(structure.customer.c.id % 100 == 0)
    with engine.begin() as connection:
        connection.execute(renamed.values(name=structure.customer.c.name + " renamed"))


if __name__ == "__main__":
    app()
