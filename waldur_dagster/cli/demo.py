"""``waldur-dagster demo``: a Waldur site to play with, billed by Dagster."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import dagster as dg
import typer
from rich.console import Console

from waldur_dagster import clock
from waldur_dagster.catalog import CATALOG
from waldur_dagster.cli.demo_summary import summary
from waldur_dagster.cli.execution import execute
from waldur_dagster.definitions import build_definitions
from waldur_dagster.demo.home import DemoHome
from waldur_dagster.platform.month import Month

app = typer.Typer(help="A Waldur site to play with, billed by Dagster.", no_args_is_help=True)
Folder = Annotated[Path, typer.Option(help="Where the demo lives.")]
HOME = Path(".demo")
PORT, BILLING = 3000, "waldur-create-invoices"
STOPPING = 20.0  # seconds that the servers have to stop
# Dagster tells everybody who starts it that another command of it is newer, and of what it has in beta.
DAGSTERS_OWN = ("ignore:Function `dev_command` is superseded", "ignore:Parameter `owners` of initializer")
console = Console()


@app.command()
def run(folder: Folder = HOME) -> None:
    """Make the demo site unless it is there, bill this month through Dagster, and tell what was done."""
    home = DemoHome(folder)
    with console.status("Starting PostgreSQL and the demo site ..."):
        deployment, new = home.prepare()
        os.umask(0o077)  # Dagster's files and the mails are their owner's only too
    console.print(
        "A demo site is there, with last month's invoices still open." if new else "The demo site is there already."
    )
    month = Month.of(clock.now(), deployment.zone)
    definitions, instance = build_definitions(deployment), dg.DagsterInstance.get()
    job = definitions.resolve_job_def(CATALOG[BILLING].dagster_name)
    partition = month.first.isoformat()
    console.print(f"[bold]Billing {month}[/]")
    billed = execute(console, job, instance, partition=partition).success
    console.print("[bold]Reporting costs[/]")
    everything = definitions.resolve_implicit_global_asset_job_def()
    reported = execute(console, everything, instance, partition=partition, only=[dg.AssetKey("cost_report")]).success
    summary(console, deployment, home, month)
    if not (billed and reported):
        raise typer.Exit(1)


@app.command()
def up(folder: Folder = HOME, port: Annotated[int, typer.Option(help="Port of the UI, on loopback.")] = PORT) -> None:
    """Start the Dagster UI and daemon on the demo site, until Ctrl-C; nothing of them stays behind."""
    if not _is_free(port):
        raise typer.BadParameter(f"port {port} is taken; choose another one: make up PORT={port + 1}")
    # A stop of any kind becomes an exit, so that what was started is ended and the demo's server with it.
    for kind in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, lambda *_: sys.exit(0))
    home = DemoHome(folder)
    home.prepare()
    os.umask(0o077)  # what the servers write is their owner's only too
    console.print(f"The Dagster UI is coming up at http://127.0.0.1:{port} ; Ctrl-C stops it.")
    dagster, workspace = Path(sys.executable).with_name("dagster"), str(Path("workspace.yaml").resolve())
    command = [str(dagster), "dev", "--workspace", workspace, "--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {"PYTHONWARNINGS": ",".join(DAGSTERS_OWN)}
    # In the folder of its instance: Dagster warns of another dagster.yaml where it is started.
    servers = subprocess.Popen(command, cwd=home.dagster, env=environment, start_new_session=True)  # noqa: S603
    try:
        status = servers.wait()
    except (KeyboardInterrupt, SystemExit):
        status = 0
    finally:
        _end(servers)
    console.print("Stopped.")
    raise typer.Exit(status)


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _end(servers: subprocess.Popen[bytes]) -> None:
    """Ask the servers to stop, and end what has not in time; they and their children are a session of their own."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(servers.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            servers.wait(timeout=STOPPING)
            if not _is_there(servers.pid):
                return


def _is_there(group: int) -> bool:
    """Whether a process group has members, waiting a little for the last of them."""
    end = time.monotonic() + STOPPING
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except (ProcessLookupError, PermissionError):
            return False
        time.sleep(0.1)
    return True


@app.command()
def clean(folder: Folder = HOME) -> None:
    """Stop the demo's server and delete the demo."""
    console.print(f"{folder} is gone." if DemoHome(folder).remove() else "There is no demo.")
