"""What all benchmarks share: a server of their own, the size of the site, progress, and the printed figures."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import URL, Engine, create_engine, make_url

from benchmarks.recorder import Stage
from benchmarks.site import Size
from waldur_dagster.demo import server
from waldur_dagster.deployment import Deployment, parse_deployment
from waldur_dagster.schema.generations import Generation

SIZES = {"large": Size(), "small": Size(customers=100)}
Tell = Callable[[str], None]

# Options of all benchmarks.
SizeOption = Annotated[
    str,
    typer.Option(
        help="large, small (to see that it works), or customers x projects of each x resources of each x items of"
        " each, such as 1000x2x5x3."
    ),
]
StatementsOption = Annotated[int, typer.Option(min=0, help="Show that many of the slowest statements.")]
DirectoryOption = Annotated[Path | None, typer.Option(help="Keep the server's data there.")]
GenerationOption = Annotated[Generation, typer.Option(help="The version of Waldur whose site is made.")]
ServerOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Use this server instead of an embedded one; it must run on this machine. A database 'benchmark' is made"
        " there and dropped.",
    ),
]


def size_of(written: str) -> Size:
    """The size that the command line asks for. Raises BadParameter."""
    if written in SIZES:
        return SIZES[written]
    numbers = written.split("x")
    if len(numbers) != 4 or not all(number.isdecimal() and int(number) for number in numbers):
        raise typer.BadParameter(f"write {', '.join(SIZES)}, or four numbers such as 1000x2x5x3, not {written!r}")
    return Size(*map(int, numbers))


@contextmanager
def empty_database(
    directory: Path | None, console: Console, *, server_url: str | None = None
) -> Iterator[tuple[Engine, Tell]]:
    """A database that ends with the block, and whom to tell of each step.

    It is on an embedded server, whose data are kept only when a ``directory`` is named, or on that of ``server_url``.
    """
    with _server(directory, server_url) as url:
        engine = create_engine(server.create_database(url, "benchmark"))
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=not console.is_terminal) as shown:
            yield engine, _steps_of(shown)
        engine.dispose()
        if server_url:
            server.drop_database(url, "benchmark")


@contextmanager
def _server(directory: Path | None, url: str | None) -> Iterator[URL]:
    if url:
        yield make_url(url).set(drivername="postgresql+psycopg")
        return
    with tempfile.TemporaryDirectory(prefix="waldur-bench-", ignore_cleanup_errors=True) as temporary:
        running = server.start(directory or Path(temporary) / "data", after_exit="stop" if directory else "delete")
        yield server.url_of(running)
        running.cleanup()


def deployment_of(engine: Engine, settings: dict[str, Any] | None = None) -> Deployment:
    url = engine.url.render_as_string(hide_password=False)
    return parse_deployment({"database": {"url": url}, "waldur": settings or {}})


def stage_table(title: str, sections: Iterable[Sequence[Stage]], items: int | None = None) -> Table:
    """A line for each stage, a rule between sections; what an item takes, when their number is given."""
    table = Table(title=title, title_justify="left")
    table.add_column("stage")
    headings = ("seconds", "CPU seconds", "rows", "statements", "peak MiB") + (("ms an item",) if items else ())
    for heading in headings:
        table.add_column(heading, justify="right")
    for section in sections:
        table.add_section()
        for stage in section:
            figures = [f"{stage.seconds:.2f}", f"{stage.cpu:.2f}", f"{stage.rows:,}", str(len(stage.statements))]
            figures += [f"{stage.peak:.0f}"] + ([f"{1000 * stage.seconds / items:.4f}"] if items else [])
            table.add_row(stage.name, *figures, style="bold" if stage.is_sum else "")
    return table


def slowest(stages: Iterable[Stage], count: int) -> Table:
    """The statements that took longest."""
    table = Table(title="Slowest statements", title_justify="left")
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    table.add_column("statement")
    found = [(seconds, stage.name, sql) for stage in stages for seconds, sql in stage.statements]
    for seconds, name, sql in sorted(found, reverse=True)[:count]:
        table.add_row(name, f"{seconds:.2f}", " ".join(sql.split())[:150])
    return table


def missed(figures: Iterable[tuple[str, float, float]]) -> list[str]:
    """The targets that were missed, of (what, how much it is, the most that is allowed)."""
    return [f"{value:.2f} {what}, at most {most:g} are allowed" for what, value, most in figures if value > most]


def conclude(console: Console, misses: Sequence[str]) -> None:
    """Tell how busy the machine was and which targets were missed. Raises Exit."""
    busy = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    console.print(f"{os.cpu_count()} cores; load average {busy}: where other programs run, the seconds are worse.")
    for miss in misses:
        console.print(f"[red]Target missed:[/] {miss}")
    raise typer.Exit(bool(misses))


def _steps_of(shown: Progress) -> Tell:
    """Each step gets a line of its own; the one before it is done."""

    def begin(name: str) -> None:
        for task in shown.tasks:
            if not task.finished:
                shown.update(task.id, total=1, completed=1)
        shown.add_task(name, total=None)

    return begin
