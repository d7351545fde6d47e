"""``waldur-dagster run``: the job of one entry, here and now, beside Dagster's queue and under the same lock."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated

import dagster as dg
import typer
from rich.console import Console

from assets.entry_asset import dry_run_name
from assets.partitions import partition_key
from waldur_dagster import clock
from waldur_dagster.catalog import Entry, entry
from waldur_dagster.cli.execution import execute, show_figures
from waldur_dagster.cli.instance import dagster_instance
from waldur_dagster.definitions import build_definitions, implemented_entries, is_registered
from waldur_dagster.deployment import Deployment, load_deployment
from waldur_dagster.platform.month import Month
from waldur_dagster.site import Site


def run(
    name: Annotated[str, typer.Argument(metavar="ENTRY", help="An entry, as `waldur-dagster schedules` lists it.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do it all, show what would change, roll it back.")
    ] = False,
    as_of: Annotated[
        str | None, typer.Option(help="The instant it works for, with its offset: 2025-04-01T00:00:00+03:00.")
    ] = None,
    month: Annotated[str | None, typer.Option(help="The month it is about, e.g. 2025-04; for monthly assets.")] = None,
    deliver: Annotated[
        bool, typer.Option("--deliver/--no-deliver", help="Send what it wrote at once, or leave it to the sensor.")
    ] = True,
) -> None:
    """Run the job of an entry here and now, and show what it did.

    The exit status is that of the run: 0 when it succeeded, 1 when it failed; 2 when nothing could be run. The run is
    in Dagster's history where DAGSTER_HOME is set. A dry run of an asset is a job of its own and leaves the asset as
    it was.
    """
    deployment, documented, console = load_deployment(), entry(name), Console()
    _check(deployment, documented)
    job = _job(deployment, documented, dry_run=dry_run)
    options: dict[str, object] = {} if as_of is None else {"as_of": _instant(as_of).isoformat()}
    if not job.name.endswith("_dry_run"):
        options |= {"dry_run": dry_run, "deliver": deliver}
    with dagster_instance(kept=False) as instance:
        partition = _partition(job, deployment, as_of, month)
        with Site(deployment) as site:
            site.check()
        about = f" for {partition}" if partition else ""
        console.print(f"[bold]{'Dry run of ' if dry_run else ''}{name}[/]{about}")
        result = execute(console, job, instance, partition=partition, options=options)
        show_figures(console, result, dry_run=dry_run)
    if dry_run and result.success:
        console.print("Nothing of it was kept.")
    raise typer.Exit(0 if result.success else 1)


def _check(deployment: Deployment, documented: Entry) -> None:
    if documented.name not in implemented_entries():
        raise typer.BadParameter(f"{documented.name} still runs in Celery beat")
    if not is_registered(deployment, documented.name):
        raise typer.BadParameter(f"{documented.name} is not registered in the deployment file")


def _job(deployment: Deployment, documented: Entry, *, dry_run: bool) -> dg.JobDefinition:
    definitions = build_definitions(deployment)
    jobs = {job.name: job for job in definitions.get_repository_def().get_all_jobs()}
    own = dry_run_name(documented)
    return jobs[own if dry_run and own in jobs else documented.dagster_name]


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = datetime.min
    if instant.tzinfo is None:
        raise typer.BadParameter(f"--as-of {text} is no instant with an offset; write e.g. 2025-04-01T00:00:00+03:00")
    return instant


def _partition(job: dg.JobDefinition, deployment: Deployment, as_of: str | None, month: str | None) -> str | None:
    """The partition that is meant: the month that is named, else the one that the instant, or the present, is in."""
    partitions = job.partitions_def
    if month is not None:
        if not isinstance(partitions, dg.MonthlyPartitionsDefinition):
            raise typer.BadParameter(f"{job.name} is not made by month; leave --month out")
        if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
            raise typer.BadParameter(f"--month {month} is no month; write e.g. 2025-04")
        key = Month(int(month[:4]), int(month[5:]), deployment.zone).first.isoformat()
    else:
        instant = clock.now() if as_of is None else _instant(as_of)
        key = partition_key(partitions, instant) or ""
    if partitions is not None and not partitions.has_partition_key(key):
        raise typer.BadParameter(f"{date.fromisoformat(key):%Y-%m} is before the first partition, or in the future")
    return key or None
