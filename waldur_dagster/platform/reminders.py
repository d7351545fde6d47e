"""Reminders some days before an end: those of days on which nothing ran go out late, once."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from waldur_dagster.outbox.tables import reminded
from waldur_dagster.work import Work


def ends_to_tell(work: Work, distances: Collection[int]) -> dict[date, int]:
    """The ends that are told today, each with the distance in days that it is told for; notes that today was done.

    An end is told on the day that lies so many days before it, in the site's time zone. What was due since the last
    day that the entry has run for is told today, unless its end has passed; of several distances the nearest counts,
    so that nobody gets two mails about one end. The first run of all tells what is due today: who had this job before
    has told the rest.
    """
    farthest = max(distances)
    missed = [work.today - timedelta(days=days) for days in range(_days_to_make_up(work, farthest) + 1)]
    found = {day + timedelta(days=distance): distance for distance in sorted(distances, reverse=True) for day in missed}
    # An end that is told on its own last day was due before: on time it is told at least a day ahead.
    return {end: distance for end, distance in found.items() if end >= work.today}


def _days_to_make_up(work: Work, most: int) -> int:
    """How many days before today had no run of the entry, at most ``most``; 0 for a run that does the past again."""
    last = work.connection.scalar(select(reminded.c.day).where(reminded.c.entry == work.entry))
    note = insert(reminded).values(entry=work.entry, day=work.today)
    work.connection.execute(
        note.on_conflict_do_update(
            index_elements=["entry"], set_={"day": func.greatest(reminded.c.day, note.excluded.day)}
        )
    )
    return 0 if last is None else max(0, min((work.today - last).days - 1, most))
