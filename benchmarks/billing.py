"""How long the monthly billing takes on a large site, stage by stage, beside what PostgreSQL itself needs.

``python -m benchmarks.billing`` makes the site on an embedded server, bills it as the job does and prints the figures.
The bound is the cost that no program can avoid: the very item rows inserted once more by one bare
``INSERT ... SELECT`` into a table of the same keys, indexes and deferred foreign keys, commit included.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import Engine, create_engine, text

from benchmarks.recorder import Recorder, Stage
from benchmarks.site import MONTH, Size, build, tidy
from waldur_dagster.demo import server
from waldur_dagster.deployment import Deployment, parse_deployment
from waldur_dagster.invoices import billing
from waldur_dagster.invoices.month import Month
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
SIZES = {"large": Size(), "small": Size(customers=100)}
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
    def seconds(self) -> float:
        return sum(stage.seconds for stage in self.steps)

    @property
    def statements(self) -> int:
        return sum(len(stage.statements) for stage in self.steps)

    @property
    def ms_an_item(self) -> float:
        return 1000 * self.seconds / self.items

    @property
    def peak(self) -> float:
        """Memory of the process while it billed, in MiB."""
        return max(stage.peak for stage in self.steps)

    def misses(self) -> list[str]:
        """The targets that this run missed; they are meant for the site of the default size."""
        limits = (
            ("seconds", self.seconds, MOST_SECONDS),
            ("ms an item", self.ms_an_item, MOST_MS_AN_ITEM),
            ("MiB", self.peak, MOST_MEMORY),
        )
        return [f"{value:.2f} {what}, at most {most:g} are allowed" for what, value, most in limits if value > most]


def measure(engine: Engine, size: Size, *, mails: bool = True, progress: Callable[[str], None] = print) -> Figures:
    """Make a site in an empty database and bill it."""
    build(engine, _deployment(engine), size, progress)
    recorder = Recorder()
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
    progress: Callable[[str], None],
) -> list[Stage]:
    stages = []
    with Site(_deployment(engine, settings)) as site:
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
_BEFORE = _OF_MONTH.replace(" IN ", " NOT IN ")
_KEYS = """
    SELECT format('ALTER TABLE bench_item ADD %s', pg_get_constraintdef(oid))
    FROM pg_constraint WHERE conrelid = 'invoices_invoiceitem'::regclass AND contype = 'f'
"""


def _bare_insert(engine: Engine, recorder: Recorder, progress: Callable[[str], None]) -> Stage:
    """Insert the month's items again, into a table that held last month's items as the real one did."""
    progress(BOUND)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE bench_item (LIKE invoices_invoiceitem INCLUDING ALL)"))
        for (statement,) in connection.execute(text(_KEYS)).all():
            connection.exec_driver_sql(statement)
        connection.execute(text(f"INSERT INTO bench_item SELECT * FROM invoices_invoiceitem {_BEFORE}"))
    tidy(engine)
    watched = create_engine(engine.url)
    recorder.watch(watched)
    connection = watched.connect()
    with recorder.stage(BOUND) as stage, connection.begin():
        insert = text(f"INSERT INTO bench_item SELECT * FROM invoices_invoiceitem {_OF_MONTH} ORDER BY id")
        stage.rows = connection.execute(insert).rowcount
    connection.close()
    watched.dispose()
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE bench_item"))
    return stage


def _deployment(engine: Engine, settings: dict[str, Any] | None = None) -> Deployment:
    url = engine.url.render_as_string(hide_password=False)
    return parse_deployment({"database": {"url": url}, "waldur": settings or {}})


def table_of(figures: Figures) -> Table:
    table = Table(title=f"Billing {figures.items:,} items", title_justify="left")
    table.add_column("stage")
    for heading in ("seconds", "rows", "statements", "ms an item", "peak MiB"):
        table.add_column(heading, justify="right")

    def add(name: str, seconds: float, rows: int, statements: int, peak: float, **style: Any) -> None:
        an_item = f"{1000 * seconds / figures.items:.4f}"
        table.add_row(name, f"{seconds:.2f}", f"{rows:,}", str(statements), an_item, f"{peak:.0f}", **style)

    def add_stage(stage: Stage) -> None:
        add(stage.name, stage.seconds, stage.rows, len(stage.statements), stage.peak)

    for stage in figures.steps:
        add_stage(stage)
    table.add_section()
    rows = sum(stage.rows for stage in figures.steps)
    add("billing, all steps", figures.seconds, rows, figures.statements, figures.peak, style="bold")
    add_stage(figures.bound)
    if figures.mails:
        table.add_section()
    for stage in figures.mails:
        add_stage(stage)
    return table


def slowest(figures: Figures, count: int) -> Table:
    """The statements that took longest."""
    table = Table(title="Slowest statements", title_justify="left")
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    table.add_column("statement")
    found = [(seconds, stage.name, sql) for stage in figures.steps + figures.mails for seconds, sql in stage.statements]
    for seconds, name, sql in sorted(found, reverse=True)[:count]:
        table.add_row(name, f"{seconds:.2f}", " ".join(sql.split())[:150])
    return table


def size_of(written: str) -> Size:
    """The size that the command line asks for. Raises BadParameter."""
    if written in SIZES:
        return SIZES[written]
    numbers = written.split("x")
    if len(numbers) != 4 or not all(number.isdecimal() and int(number) for number in numbers):
        raise typer.BadParameter(f"write {', '.join(SIZES)}, or four numbers such as 1000x2x5x3, not {written!r}")
    return Size(*map(int, numbers))


def main(
    size: Annotated[
        str,
        typer.Option(
            help="large, small (to see that it works), or customers x projects of each x resources of each x items of"
            " each, such as 1000x2x5x3."
        ),
    ] = "large",
    mails: Annotated[bool, typer.Option(help="Also write the customers' mails and the accounting report.")] = True,
    statements: Annotated[int, typer.Option(min=0, help="Show that many of the slowest statements.")] = 0,
    directory: Annotated[Path | None, typer.Option(help="Keep the server's data there.")] = None,
) -> None:
    """Bill a large site on an embedded PostgreSQL and print the figures by stage; fails when a target is missed."""
    console, chosen = Console(), size_of(size)
    with tempfile.TemporaryDirectory(prefix="waldur-bench-", ignore_cleanup_errors=True) as temporary:
        running = server.start(directory or Path(temporary) / "data", after_exit="stop" if directory else "delete")
        engine = create_engine(server.create_database(server.url_of(running), "benchmark"))
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=not console.is_terminal) as shown:
            figures = measure(engine, chosen, mails=mails, progress=_steps_of(shown))
        engine.dispose()
        running.cleanup()
    busy = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    console.print(table_of(figures))
    console.print(f"{os.cpu_count()} cores; load average {busy}: where other programs run, the figures are worse.")
    if statements:
        console.print(slowest(figures, statements))
    if chosen == SIZES["large"]:
        for miss in figures.misses():
            console.print(f"[red]Target missed:[/] {miss}")
        raise typer.Exit(bool(figures.misses()))


def _steps_of(shown: Progress) -> Callable[[str], None]:
    """Each step gets a line of its own; the one before it is done."""

    def begin(name: str) -> None:
        for task in shown.tasks:
            if not task.finished:
                shown.update(task.id, total=1, completed=1)
        shown.add_task(name, total=None)

    return begin


if __name__ == "__main__":
    typer.run(main)
