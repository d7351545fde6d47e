"""``waldur-dagster readme``: keeps the README's table of entries true."""

from pathlib import Path
from typing import Annotated

import typer

from waldur_dagster.catalog import CATALOG, FAMILIES
from waldur_dagster.definitions import implemented_entries
from waldur_dagster.timetable import cron_of

README = Path("README.md")
BEGIN, END = "<!-- entries: waldur-dagster readme writes this table -->", "<!-- end of entries -->"


def entries_table() -> str:
    """All documented entries by family as a Markdown table, with cron expression and state."""
    done = implemented_entries()
    lines = ["| entry | family | documented | cron | state |", "|---|---|---|---|---|"]
    for family in FAMILIES:
        lines += [
            f"| `{entry.name}` | {family} | {entry.schedule} | `{cron_of(entry)}` | "
            f"{'runs here' if entry.name in done else 'still in Celery beat'} |"
            for entry in CATALOG.values()
            if entry.family == family
        ]
    return f"{len(done)} of {len(CATALOG)} entries run here.\n\n" + "\n".join(lines)


def with_table(text: str) -> str:
    """The README's text with the table of today between its markers."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{entries_table()}\n\n{END}{after}"


def readme(file: Annotated[Path, typer.Option(help="The file with the markers.")] = README) -> None:
    """Write the table of entries into the README; a test fails when it is out of date."""
    file.write_text(with_table(file.read_text(encoding="utf-8")), encoding="utf-8")
    typer.echo(f"{file} is up to date.")
