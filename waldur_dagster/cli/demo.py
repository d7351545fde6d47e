"""``waldur-dagster demo``: a Waldur site to play with, billed by Dagster."""

import subprocess
import sys
import threading
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import dagster as dg
import typer
from rich.console import Console
from rich.status import Status

from waldur_dagster.catalog import CATALOG
from waldur_dagster.cli.demo_summary import summary
from waldur_dagster.definitions import build_definitions
from waldur_dagster.demo.home import DemoHome
from waldur_dagster.invoices.billing import ENTRY
from waldur_dagster.platform.month import Month

app = typer.Typer(help="A Waldur site to play with, billed by Dagster.", no_args_is_help=True)
Folder = Annotated[Path, typer.Option(help="Where the demo lives.")]
HOME = Path(".demo")
PORT = 3000
console = Console()


@app.command()
def run(folder: Folder = HOME) -> None:
    """Make the demo site unless it is there, bill this month through Dagster, and tell what was done."""
    home = DemoHome(folder)
    with console.status("Starting PostgreSQL and the demo site ..."):
        deployment, new = home.prepare()
    console.print(
        "A demo site is there, with last month's invoices still open." if new else "The demo site is there already."
    )
    month = Month.of(datetime.now(UTC), deployment.zone)
    definitions, instance = build_definitions(deployment), dg.DagsterInstance.get()
    job = definitions.resolve_job_def(CATALOG[ENTRY].dagster_name)
    billed = _execute(job, instance, month, f"Billing {month}")
    everything = definitions.resolve_implicit_global_asset_job_def()
    reported = _execute(everything, instance, month, "Reporting costs", only=[dg.AssetKey("cost_report")])
    summary(console, deployment, home, month)
    if not (billed and reported):
        raise typer.Exit(1)


def _execute(
    job: dg.JobDefinition, instance: dg.DagsterInstance, month: Month, title: str, only: list[dg.AssetKey] | None = None
) -> bool:
    """Run a job in this process, and show its steps as they begin and end."""
    run_id, results = str(uuid.uuid4()), list[dg.ExecuteInProcessResult]()

    def execute() -> None:
        results.append(
            job.execute_in_process(
                instance=instance,
                run_id=run_id,
                partition_key=month.first.isoformat(),
                asset_selection=only,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                raise_on_error=False,
            )
        )

    console.print(f"[bold]{title}[/]")
    thread = threading.Thread(target=execute)
    thread.start()
    told = 0
    with console.status("starting ...") as status:
        while thread.is_alive() or told < len(instance.all_logs(run_id)):
            for record in instance.all_logs(run_id)[told:]:
                told += 1
                _tell(record, status)
            thread.join(timeout=0.2)
    return bool(results) and results[0].success


def _tell(record: dg.EventLogEntry, status: Status) -> None:
    event = record.dagster_event
    if event is None or event.step_key is None:
        return
    step = event.step_key.rpartition(".")[2].replace("_", " ")
    match event.event_type:
        case dg.DagsterEventType.STEP_START:
            status.update(f"{step} ...")
        case dg.DagsterEventType.STEP_SUCCESS:
            console.print(f"  [green]done[/] {step} [dim]({event.step_success_data.duration_ms / 1000:.1f} s)[/]")
        case dg.DagsterEventType.STEP_FAILURE:
            console.print(f"  [red]failed[/] {step}: {event.step_failure_data.error_display_string}")


@app.command()
def up(folder: Folder = HOME, port: Annotated[int, typer.Option(help="Port of the UI, on loopback.")] = PORT) -> None:
    """Start the Dagster UI and daemon on the demo site."""
    DemoHome(folder).prepare()
    console.print(f"The Dagster UI is coming up at http://127.0.0.1:{port} ; Ctrl-C stops it.")
    dagster = Path(sys.executable).with_name("dagster")
    command = [str(dagster), "dev", "--workspace", "workspace.yaml", "--host", "127.0.0.1", "--port", str(port)]
    raise typer.Exit(subprocess.call(command))  # noqa: S603  our own command, no shell


@app.command()
def clean(folder: Folder = HOME) -> None:
    """Stop the demo's server and delete the demo."""
    console.print(f"{folder} is gone." if DemoHome(folder).remove() else "There is no demo.")
