"""The documented entries of Waldur's beat schedule: the jobs that this program is for."""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """One entry: its documented name, Celery task and schedule, its family, and what it does.

    ``newest_schedule`` and ``newest_task`` are those of the newest Waldur where they differ; ``gone``: it has none.
    """

    name: str
    task: str
    schedule: str
    family: str
    description: str
    newest_schedule: str | None = None
    newest_task: str | None = None
    gone: bool = False

    @property
    def dagster_name(self) -> str:
        """The name in Dagster, which allows letters, digits and ``_`` only."""
        return re.sub(r"\W", "_", self.name, flags=re.ASCII)

    @property
    def tags(self) -> dict[str, str]:
        """What an operator finds the entry's runs by."""
        return {"waldur/entry": self.name, "waldur/task": self.task, "waldur/family": self.family}


def _load() -> dict[str, Entry]:
    document = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return {name: Entry(name, **facts) for name, facts in document.items()}


CATALOG = _load()
# What newer versions of Waldur do in beats of their own, and this program therefore too; none of the documented ones.
ADDED = {
    added.name: added
    for added in (
        Entry(
            name="finalize-previous-invoices",
            task="invoices.finalize_previous_invoices",
            schedule="Cron: 10 * 1-3 * * (m/h/dM/MY/d)",
            family="invoices",
            description="Closes the invoices of past months once the hours in which they may still change are over.",
        ),
    )
}
FAMILIES = tuple(dict.fromkeys(entry.family for entry in CATALOG.values()))


class UnknownEntry(LookupError):
    """Neither an entry nor a family has this name."""


def entry(name: str) -> Entry:
    """The entry of that name. Raises UnknownEntry, with names that look like it."""
    return entries_of(name, families=False)[0]


def entries_of(name: str, *, families: bool = True) -> list[Entry]:
    """The entry of that name, or all entries of the family of that name. Raises UnknownEntry."""
    if name in CATALOG or name in ADDED:
        return [CATALOG.get(name) or ADDED[name]]
    if families and name in FAMILIES:
        return [found for found in CATALOG.values() if found.family == name]
    close = difflib.get_close_matches(name, [*CATALOG, *ADDED, *FAMILIES], n=3)
    hint = f"; did you mean {' or '.join(close)}?" if close else "; `waldur-dagster schedules` lists them"
    raise UnknownEntry(f"There is no entry or family {name}{hint}")
