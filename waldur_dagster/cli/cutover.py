"""``waldur-dagster cutover``: what to switch off in Celery beat for what is switched on here."""

from pathlib import Path
from typing import Annotated

import typer

from waldur_dagster.catalog import CATALOG
from waldur_dagster.cli.instance import WORKSPACE, code_location, is_running

SNIPPET = """\
# For Waldur's settings override (e.g. override.conf.py): these entries run in Dagster now.
for _entry in (
{entries}
):
    CELERY_BEAT_SCHEDULE.pop(_entry, None)
"""


def snippet(names: list[str]) -> str:
    """Python for Waldur's settings that takes these entries out of the beat schedule."""
    return SNIPPET.format(entries="\n".join(f'    "{name}",' for name in names))


def cutover(
    workspace: Annotated[Path, typer.Option(help="The workspace file that Dagster runs with.")] = WORKSPACE,
) -> None:
    """Print the settings that switch off, on Waldur's side, the entries whose schedules run here.

    Restart Celery beat with them before the next tick of these entries, so that none runs on both sides.
    """
    with code_location(workspace) as (instance, repository):
        running = {schedule.name for schedule in repository.get_schedules() if is_running(instance, schedule)}
    names = [entry.name for entry in CATALOG.values() if entry.dagster_name in running]
    if not names:
        typer.echo("No schedule runs here; nothing is to be switched off in Celery beat.", err=True)
        return
    typer.echo(snippet(names), nl=False)
