"""The Dagster instance and the code location as the daemon sees them, for switching schedules.

Dagster's own command line switches one schedule a call, and loads the code location each time; the functions below
are the ones that it is made of.
"""

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dagster as dg
import typer
from click import UsageError
from dagster._cli.utils import get_instance_for_cli
from dagster._cli.workspace.cli_target import WorkspaceOpts, get_repository_from_cli_opts
from dagster._core.remote_representation.external import RemoteRepository, RemoteSchedule, RemoteSensor
from dagster._core.scheduler.instigation import InstigatorTick, TickStatus

from waldur_dagster.cli import InstanceUnusable
from waldur_dagster.passing_errors import in_short

WORKSPACE = Path("workspace.yaml")


@contextmanager
def dagster_instance(*, kept: bool = True) -> Iterator[dg.DagsterInstance]:
    """The instance at DAGSTER_HOME; when none is named, and it need not be kept, one for this command alone.

    Raises InstanceUnusable.
    """
    home = os.environ.get("DAGSTER_HOME")
    if kept and not home:
        raise InstanceUnusable("DAGSTER_HOME is not set; let it name the folder of dagster.yaml, as for the servers.")
    with ExitStack() as opened:
        try:
            with _quietly():
                instance = opened.enter_context(get_instance_for_cli())
        except Exception as problem:
            raise InstanceUnusable(f"Dagster's instance at {home} cannot be used: {_first_cause(problem)}.") from None
        yield instance


@contextmanager
def code_location(workspace: Path) -> Iterator[tuple[dg.DagsterInstance, RemoteRepository]]:
    """The instance at DAGSTER_HOME and the location that ``workspace`` names. Raises InstanceUnusable."""
    if not workspace.is_file():
        raise typer.BadParameter(f"{workspace} does not exist; name the workspace file that Dagster runs with")
    options = WorkspaceOpts(workspace=(str(workspace),))
    with dagster_instance() as instance, ExitStack() as opened:
        location = get_repository_from_cli_opts(
            instance=instance, version=dg.__version__, workspace_opts=options, repository_opts=None
        )
        try:
            with _quietly():
                repository = opened.enter_context(location)
        except UsageError as problem:
            raise InstanceUnusable(
                f"{in_short(problem)}. Does the code server that {workspace} names run, and does it answer here?"
            ) from None
        yield instance, repository


@contextmanager
def _quietly() -> Iterator[None]:
    """Without Dagster's own words and tracebacks about what goes wrong: the error that follows has the reason."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def _first_cause(problem: BaseException) -> str:
    if isinstance(problem, dg.DagsterInvalidConfigError) and problem.errors:
        return problem.errors[0].message.strip().partition("\n")[0].rstrip(".:")
    while problem.__cause__ is not None:
        problem = problem.__cause__
    return in_short(problem)


def is_running(instance: dg.DagsterInstance, schedule: RemoteSchedule | RemoteSensor) -> bool:
    """Whether the daemon lets it tick: what was toggled on the instance, else what the file says."""
    stored = instance.get_instigator_state(schedule.get_remote_origin_id(), schedule.selector_id)
    return bool(schedule.get_current_instigator_state(stored).is_running)


def skipped_ticks(instance: dg.DagsterInstance, schedule: RemoteSchedule, since: float) -> Sequence[InstigatorTick]:
    """The ticks of a schedule after an instant (seconds since 1970) that asked for no run, newest first."""
    return instance.get_ticks(
        schedule.get_remote_origin_id(), schedule.selector_id, after=since, statuses=[TickStatus.SKIPPED]
    )
