"""The Dagster instance and the code location as the daemon sees them, for switching schedules.

Dagster's own command line switches one schedule a call, and loads the code location each time; the functions below
are the ones that it is made of.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import typer
from dagster._cli.utils import get_instance_for_cli
from dagster._cli.workspace.cli_target import WorkspaceOpts, get_repository_from_cli_opts
from dagster._core.remote_representation.external import RemoteRepository, RemoteSchedule, RemoteSensor
from dagster._core.scheduler.instigation import InstigatorTick, TickStatus

WORKSPACE = Path("workspace.yaml")


@contextmanager
def code_location(workspace: Path) -> Iterator[tuple[dg.DagsterInstance, RemoteRepository]]:
    """The instance at DAGSTER_HOME and the location that ``workspace`` names."""
    if not workspace.is_file():
        raise typer.BadParameter(f"{workspace} does not exist; name the workspace file that Dagster runs with")
    options = WorkspaceOpts(workspace=(str(workspace),))
    with (
        get_instance_for_cli() as instance,
        get_repository_from_cli_opts(
            instance=instance, version=dg.__version__, workspace_opts=options, repository_opts=None
        ) as repository,
    ):
        yield instance, repository


def is_running(instance: dg.DagsterInstance, schedule: RemoteSchedule | RemoteSensor) -> bool:
    """Whether the daemon lets it tick: what was toggled on the instance, else what the file says."""
    stored = instance.get_instigator_state(schedule.get_remote_origin_id(), schedule.selector_id)
    return bool(schedule.get_current_instigator_state(stored).is_running)


def skipped_ticks(instance: dg.DagsterInstance, schedule: RemoteSchedule, since: float) -> Sequence[InstigatorTick]:
    """The ticks of a schedule after an instant (seconds since 1970) that asked for no run, newest first."""
    return instance.get_ticks(
        schedule.get_remote_origin_id(), schedule.selector_id, after=since, statuses=[TickStatus.SKIPPED]
    )
