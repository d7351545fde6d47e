"""How long the monthly billing takes on a large site, stage by stage, beside what PostgreSQL itself needs.

``python -m benchmarks.billing`` makes the site on an embedded server, bills it as the job does and prints the figures.
The bound is the cost that no program can avoid: the very rows of the items, and of the events that newer versions of
Waldur have for each, inserted once more by a bare ``INSERT ... SELECT`` into tables of the same keys, indexes and
deferred foreign keys, commit included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, create_engine, text

from benchmarks import runner
from benchmarks.recorder import Recorder, Stage
from benchmarks.runner import SIZES, DirectoryOption, GenerationOption, ServerOption, SizeOption, StatementsOption, Tell
from benchmarks.site import MONTH, Size, build, tidy
from waldur_dagster.billing import monthly as billing
from waldur_dagster.platform.month import Month
from waldur_dagster.schema.generations import Generation
from waldur_dagster.site import Site
from waldur_dagster.work import Work

Step = Callable[[Work, Month], None]
STEPS: dict[str, Step] = {
    "announced prices": billing.switch_announced_prices,
    "close last month": billing.close_past_invoices,
    "new invoices": billing.make_new_invoices,
    "mails (switched off)": billing.write_mails,
}
# Mails are off by default in Waldur, so they are measured by themselves.
MAILS: dict[str, dict[str, Any]] = {
    "customer mails": {"WALDUR_INVOICES": {"SEND_CUSTOMER_INVOICES": True}},
    "accounting report": {"WALDUR_INVOICES": {"INVOICE_REPORTING": {"ENABLE": True}}},
}
BOUND = "bound: bare insert"
MOST_MS_AN_ITEM, MOST_SECONDS, MOST_MEMORY = 0.2, 60.0, 300.0


@dataclass(frozen=True)
class Figures:
    """What one run measured: the steps of the job, the mails by themselves, and the bound."""

    items: int
    steps: list[Stage]
    mails: list[Stage]
    bound: Stage

    @property
    def whole(self) -> Stage:
        return Stage.sum("billing, all steps", self.steps)

    def misses(self) -> list[str]:
        """The targets that this run missed; they are meant for the site of the default size."""
        whole = self.whole
        an_item = 1000 * whole.seconds / self.items
        return runner.missed(
            [
                ("seconds", whole.seconds, MOST_SECONDS),
                ("ms an item", an_item, MOST_MS_AN_ITEM),
                ("MiB", whole.peak, MOST_MEMORY),
            ]
        )


def measure(
    engine: Engine,
    size: Size,
    *,
    mails: bool = True,
    progress: Tell = print,
    generation: Generation = Generation.NEWEST,
) -> Figures:
    """Make a site in an empty database and bill it."""
    build(engine, runner.deployment_of(engine), size, progress, generation)
    recorder = Recorder(engine)
    steps = _bill(engine, recorder, STEPS, {}, progress)
    with engine.connect() as connection:
        items = connection.scalar(text(f"SELECT count(*) FROM invoices_invoiceitem {_OF_MONTH}")) or 0
    bound = _bare_insert(engine, recorder, progress)
    letters = [
        stage
        for name, settings in MAILS.items()
        if mails
        for stage in _bill(engine, recorder, {name: billing.write_mails}, settings, progress)
    ]
    return Figures(items, steps, letters, bound)


def _bill(
    engine: Engine,
    recorder: Recorder,
    steps: dict[str, Step],
    settings: dict[str, Any],
    progress: Tell,
) -> list[Stage]:
    stages = []
    with Site(runner.deployment_of(engine, settings)) as site:
        recorder.watch(site.engine)
        for name, step in steps.items():
            progress(name)
            with recorder.stage(name) as stage, site.work(billing.ENTRY, MONTH.start) as work:
                step(work, MONTH)
            changed = sum(kinds.total() for kinds in work.outcome.rows.values())
            stage.rows = changed + work.outcome.figures["mails"]
            stages.append(stage)
    return stages


_OF_MONTH = f"WHERE invoice_id IN (SELECT id FROM invoices_invoice WHERE year = {MONTH.year} AND month = {MONTH.month})"
# Of each table the rows that billing a month inserts for items, as conditions; all others were there before.
_EVENTS = f"event_type = 'invoice_item_created' AND context ->> 'invoice_month' = '{MONTH.month}'"
_ROWS = {
    "invoices_invoiceitem": _OF_MONTH.removeprefix("WHERE "),
    "logging_event": _EVENTS,
    "logging_feed": f"event_id IN (SELECT id FROM logging_event WHERE {_EVENTS})",
}
_KEYS = """
    SELECT format('ALTER TABLE bench_{table} ADD %s', pg_get_constraintdef(oid))
    FROM pg_constraint WHERE conrelid = '{table}'::regclass AND contype = 'f'
"""


def _bare_insert(engine: Engine, recorder: Recorder, progress: Tell) -> Stage:
    """Insert the month's rows again, into tables that held those before them as the real ones did."""
    progress(BOUND)
    with engine.begin() as connection:
        for table, new in _ROWS.items():
            connection.execute(text(f"CREATE TABLE bench_{table} (LIKE {table} INCLUDING ALL)"))
            for (statement,) in connection.execute(text(_KEYS.format(table=table))).all():
                connection.exec_driver_sql(statement)
            connection.execute(text(f"INSERT INTO bench_{table} SELECT * FROM {table} WHERE NOT ({new})"))
    tidy(engine)
    watched = create_engine(engine.url)
    recorder.watch(watched)
    connection = watched.connect()
    with recorder.stage(BOUND) as stage, connection.begin():
        for table, new in _ROWS.items():
            insert = text(f"INSERT INTO bench_{table} SELECT * FROM {table} WHERE {new} ORDER BY id")
            stage.rows += connection.execute(insert).rowcount
    connection.close()
    watched.dispose()
    with engine.begin() as connection:
        for table in _ROWS:
            connection.execute(text(f"DROP TABLE bench_{table}"))
    return stage


def table_of(figures: Figures) -> Table:
    sections = [figures.steps, [figures.whole, figures.bound], figures.mails]
    return runner.stage_table(f"Billing {figures.items:,} items", sections, figures.items)


def main(
    *,
    size: SizeOption = "large",
    mails: Annotated[bool, typer.Option(help="Also write the customers' mails and the accounting report.")] = True,
    statements: StatementsOption = 0,
    directory: DirectoryOption = None,
    server: ServerOption = None,
    generation: GenerationOption = Generation.NEWEST,
) -> None:
    """Bill a large site on an embedded PostgreSQL and print the figures by stage; fails when a target is missed."""
    console, chosen = Console(), runner.size_of(size)
    with runner.empty_database(directory, console, server_url=server) as (engine, progress):
        figures = measure(engine, chosen, mails=mails, progress=progress, generation=generation)
    console.print(table_of(figures))
    if statements:
        console.print(runner.slowest(figures.steps + figures.mails, statements))
    runner.conclude(console, figures.misses() if chosen == SIZES["large"] else [])


if __name__ == "__main__":
    typer.run(main)
