"""Documented schedules as cron expressions, in the deployment's time zone (design section 4)."""

from __future__ import annotations

import re
import zlib
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter

from waldur_dagster.catalog import Entry

# Daily jobs start between 01:00 and 05:00, after the monthly billing and before people come to work.
NIGHT_BEGINS, NIGHT_MINUTES = 1, 4 * 60
MONTHLY = "0 0 1 * *"
LOOKED_AT = 14  # ticks


def cron_of(entry: Entry) -> str:
    """The cron expression that keeps an entry's documented schedule.

    Documented cron entries stay as they are. Minutes divide the hour. Hourly and longer intervals start at a minute,
    daily and longer ones at a time of the night, that the entry's name decides: always the same, and not all at once.
    """
    if literal := re.match(r"Cron: (\S+ \S+ \S+ \S+ \S+)", entry.schedule):
        return literal[1]
    if entry.schedule.startswith("Monthly"):
        return MONTHLY
    interval = re.fullmatch(r"(\d+) (minute|hour|day)s?", entry.schedule)
    if interval is None:
        raise ValueError(f"{entry.name}: the schedule {entry.schedule!r} is neither an interval nor a cron expression")
    number, offset = int(interval[1]), zlib.crc32(entry.name.encode())
    match interval[2], number:
        case "minute", _:
            return f"*/{number} * * * *"
        case "hour", 1:
            return f"{offset % 60} * * * *"
        case "hour", _:
            return f"{offset % 60} {offset // 60 % number}-23/{number} * * *"
        case "day", 1:
            return f"{_night(offset)} * * *"
        case "day", 7:
            return f"{_night(offset)} * * {offset // NIGHT_MINUTES % 7}"
    raise ValueError(f"{entry.name}: no cron expression keeps the interval {entry.schedule!r}")


def _night(offset: int) -> str:
    minute = offset % NIGHT_MINUTES
    return f"{minute % 60} {NIGHT_BEGINS + minute // 60}"


def check_cron(text: str) -> str:
    """The expression itself, when Dagster can keep it and it ever ticks. Raises ValueError."""
    if len(text.split()) != 5 or not re.fullmatch(r"[\w\s*,/-]+", text) or not croniter.is_valid(text):
        raise ValueError(f"{text!r} is no cron expression; write minute, hour, day of month, month, day of week")
    try:
        croniter(text, datetime(2025, 1, 1)).get_next()
    except CroniterBadDateError:
        raise ValueError(f"{text!r} never ticks: no month that it names has such a day") from None
    return text


def next_tick(cron: str, zone: ZoneInfo, after: datetime) -> datetime:
    """The first tick after an instant, in the zone, as Dagster's daemon finds it, also where clocks change."""
    from dagster._utils.schedules import schedule_execution_time_iterator

    ticks = schedule_execution_time_iterator(after.timestamp(), cron, zone.key)
    # By way of UTC: where clocks are put forward Dagster's instants show an hour that is not there.
    return next(tick for tick in (one.astimezone(UTC) for one in ticks) if tick > after).astimezone(zone)


def longest_gap(cron: str, zone: ZoneInfo) -> timedelta:
    """The longest time between two ticks of a schedule, looked at over a year of monthly ones."""
    ticks = croniter(cron, datetime(2025, 1, 1, tzinfo=zone))
    times = [ticks.get_next(float) for _ in range(LOOKED_AT)]
    return timedelta(seconds=max(later - earlier for earlier, later in pairwise(times)))
