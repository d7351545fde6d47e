"""``waldur-dagster cutover``: what to switch off in Celery beat for what is switched on here."""

from pathlib import Path
from typing import Annotated

import typer

from waldur_dagster.catalog import CATALOG, Entry
from waldur_dagster.cli.instance import WORKSPACE, code_location, is_running

SNIPPET = """\
# For Waldur's settings override (e.g. override.conf.py): these entries run in Dagster now.
# Where beat keeps its entries in the database (django-celery-beat), this does not reach them: switch the periodic
# tasks of these names off in Waldur's admin pages, or set enabled = false in django_celery_beat_periodictask.
for _entry in (
{entries}
):
    CELERY_BEAT_SCHEDULE.pop(_entry, None)
"""


def snippet(entries: list[Entry]) -> str:
    """Python for Waldur's settings that takes these entries out of the beat schedule, whatever its version."""
    return SNIPPET.format(entries="\n".join(f'    "{entry.name}",{_note(entry)}' for entry in entries))


def _note(entry: Entry) -> str:
    if entry.gone:
        return "  # newer versions of Waldur have no such entry"
    return f"  # {entry.newest_task} in newer versions of Waldur" if entry.newest_task else ""


def cutover(
    workspace: Annotated[Path, typer.Option(help="The workspace file that Dagster runs with.")] = WORKSPACE,
) -> None:
    """Print the settings that switch off, on Waldur's side, the entries whose schedules run here.

    Restart Celery beat with them before the next tick of these entries, so that none runs on both sides.
    """
    with code_location(workspace) as (instance, repository):
        running = {schedule.name for schedule in repository.get_schedules() if is_running(instance, schedule)}
    entries = [entry for entry in CATALOG.values() if entry.dagster_name in running]
    if not entries:
        typer.echo("No schedule runs here; nothing is to be switched off in Celery beat.", err=True)
        return
    typer.echo(snippet(entries), nl=False)
