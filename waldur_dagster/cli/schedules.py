"""``waldur-dagster schedules``: which entries run on this deployment, when, and switching them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import dagster as dg
import typer
from dagster._core.remote_representation.external import RemoteRepository
from dagster._core.scheduler.instigation import InstigatorTick
from rich.console import Console
from rich.table import Table

from sensors.reports import NAME as REPORTS
from waldur_dagster import clock
from waldur_dagster.catalog import CATALOG, Entry, entries_of
from waldur_dagster.cli.instance import WORKSPACE, code_location, is_running, skipped_ticks
from waldur_dagster.definitions import implemented_entries
from waldur_dagster.deployment import Deployment, load_deployment
from waldur_dagster.timetable import cron_of, next_tick

app = typer.Typer(help="List the schedules of this deployment, or switch them.", invoke_without_command=True)
Workspace = Annotated[Path, typer.Option(help="The workspace file that Dagster runs with.")]
SHOWN_FOR = timedelta(days=7)
Names = Annotated[list[str], typer.Argument(help=f"Entries or families, or {REPORTS}.")]


@app.callback()
def list_schedules(
    context: typer.Context,
    workspace: Workspace = WORKSPACE,
    family: Annotated[str | None, typer.Option(help="Only this family.")] = None,
) -> None:
    """List all entries: cron, next tick, what the deployment says of them, and their state on the instance."""
    if context.invoked_subcommand is not None:
        return
    deployment, implemented = load_deployment(), implemented_entries()
    states, skipped, refreshed = _on_instance(workspace)
    table = Table("entry", "cron", f"next tick ({deployment.zone.key})", "deployment", "instance", header_style="bold")
    shown = entries_of(family) if family else list(CATALOG.values())
    for entry in sorted(shown, key=lambda e: e.name not in implemented):
        table.add_row(entry.name, *_row(deployment, entry, entry.name in implemented, states.get(entry.dagster_name)))
    console = Console()
    console.print(table)
    done = sum(entry.name in implemented for entry in shown)
    console.print(f"{done} of {len(shown)} entries are implemented; the others still run in Celery beat.")
    console.print(
        f"{REPORTS} (reports are made anew when what they read has changed): {'running' if refreshed else 'stopped'}."
    )
    for entry in shown:
        if ticks := skipped.get(entry.dagster_name):
            console.print(_skipped_line(deployment, entry, ticks), soft_wrap=True, highlight=False, markup=False)


def _row(deployment: Deployment, entry: Entry, implemented: bool, running: bool | None) -> tuple[str, str, str, str]:
    options = deployment.options(entry.name, entry.family)
    cron = options.schedule or cron_of(entry)
    if not implemented:
        return cron, "", "[dim]still to come[/]", ""
    if not options.registered:
        return cron, "", "[yellow]not registered[/]", ""
    tick = f"{next_tick(cron, deployment.zone, clock.now()):%Y-%m-%d %H:%M}"
    default = "runs by default" if options.running else "off by default"
    return cron, tick if running else "", default, "[green]running[/]" if running else "stopped"


def _skipped_line(deployment: Deployment, entry: Entry, ticks: Sequence[InstigatorTick]) -> str:
    last = datetime.fromtimestamp(ticks[0].timestamp, deployment.zone)
    number = "1 tick" if len(ticks) == 1 else f"{len(ticks)} ticks"
    return f"{entry.name}: {number} skipped in the last week, the last {last:%Y-%m-%d %H:%M}: {ticks[0].skip_reason}"


def _on_instance(workspace: Path) -> tuple[dict[str, bool], dict[str, Sequence[InstigatorTick]], bool]:
    """Which schedules run, the ticks of the last week that each has skipped, newest first, and the reports' sensor."""
    since = (clock.now() - SHOWN_FOR).timestamp()
    with code_location(workspace) as (instance, repository):
        schedules = repository.get_schedules()
        running = {schedule.name: is_running(instance, schedule) for schedule in schedules}
        skipped = {schedule.name: skipped_ticks(instance, schedule, since) for schedule in schedules}
        return running, skipped, is_running(instance, repository.get_sensor(REPORTS))


@app.command()
def start(names: Names, workspace: Workspace = WORKSPACE) -> None:
    """Switch schedules on."""
    _switch(names, workspace, on=True)


@app.command()
def stop(names: Names, workspace: Workspace = WORKSPACE) -> None:
    """Switch schedules off."""
    _switch(names, workspace, on=False)


def _switch(names: list[str], workspace: Path, *, on: bool) -> None:
    wanted = {entry.dagster_name: entry.name for name in names if name != REPORTS for entry in entries_of(name)}
    with code_location(workspace) as (instance, repository):
        if REPORTS in names:
            _switch_reports(instance, repository, on=on)
        here = {schedule.name: schedule for schedule in repository.get_schedules()}
        for name in sorted(wanted.keys() & here.keys()):
            schedule = here[name]
            if on:
                instance.start_schedule(schedule)
            else:
                instance.stop_schedule(schedule.get_remote_origin_id(), schedule.selector_id, schedule)
            typer.echo(f"{wanted[name]}: {'running' if on else 'stopped'}")
    absent = sorted(wanted[name] for name in wanted.keys() - here.keys())
    for missing in absent:
        typer.echo(f"{missing}: has no schedule on this deployment (still to come, or not registered)", err=True)
    if absent:
        raise typer.Exit(1)


def _switch_reports(instance: dg.DagsterInstance, repository: RemoteRepository, *, on: bool) -> None:
    """The sensor that makes reports anew is switched like a schedule."""
    sensor = repository.get_sensor(REPORTS)
    if on:
        instance.start_sensor(sensor)
    else:
        instance.stop_sensor(sensor.get_remote_origin_id(), sensor.selector_id, sensor)
    typer.echo(f"{REPORTS}: {'running' if on else 'stopped'}")
