"""Documented schedules are kept."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from dagster._utils.schedules import schedule_execution_time_iterator

from waldur_dagster.catalog import CATALOG, Entry
from waldur_dagster.timetable import check_cron, cron_of, next_tick

UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
INTERVALS = [e for e in CATALOG.values() if re.match(r"\d", e.schedule)]


@pytest.mark.parametrize("entry", INTERVALS, ids=lambda e: e.name)
def test_an_interval_is_kept(entry: Entry) -> None:
    number, unit = entry.schedule.removesuffix("s").split()
    ticks = croniter(cron_of(entry), datetime(2025, 1, 1, tzinfo=UTC))
    moments = [ticks.get_next(datetime) for _ in range(20)]
    assert {b - a for a, b in itertools.pairwise(moments)} == {int(number) * UNITS[unit]}


def test_cron_entries_stay_literal() -> None:
    assert cron_of(CATALOG["check-polices"]) == "* * 1 * *"
    assert cron_of(CATALOG["notify_about_stale_resource"]) == "0 15 5 * *"
    assert cron_of(CATALOG["waldur-create-invoices"]) == "0 0 1 * *"


def test_daily_jobs_are_spread_over_the_night() -> None:
    crons = [cron_of(e) for e in CATALOG.values() if e.schedule == "1 day"]
    assert len(set(crons)) > len(crons) * 0.8
    assert all(1 <= int(cron.split()[1]) < 5 for cron in crons)


def test_ticks_are_in_the_deployments_zone() -> None:
    tick = next_tick("0 0 1 * *", ZoneInfo("Europe/Tallinn"), datetime(2025, 3, 31, 20, 59, tzinfo=UTC))
    assert tick == datetime(2025, 3, 31, 21, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "cron", "after", "tick"),
    [
        # The hour from midnight does not exist there on this day; the tick comes an hour later.
        ("Africa/Cairo", "0 0 * * *", "2025-04-24T12:00", "2025-04-25T01:00"),
        ("Africa/Cairo", "30 0 * * *", "2025-04-24T12:00", "2025-04-25T01:30"),
        ("America/Havana", "0 0 * * *", "2025-03-08T12:00", "2025-03-09T01:00"),
        ("America/Santiago", "0 0 * * *", "2025-09-06T12:00", "2025-09-07T01:00"),
        # Clocks are put back half an hour, and forward again.
        ("Australia/Lord_Howe", "0 2 * * *", "2025-10-04T12:00", "2025-10-05T02:30"),
        ("Australia/Lord_Howe", "45 1 * * *", "2025-04-05T12:00", "2025-04-06T01:45"),
    ],
)
def test_ticks_where_clocks_change_are_those_of_dagsters_daemon(zone: str, cron: str, after: str, tick: str) -> None:
    place = ZoneInfo(zone)
    found = next_tick(cron, place, datetime.fromisoformat(after).replace(tzinfo=place))
    assert found.replace(tzinfo=None) == datetime.fromisoformat(tick)
    since = datetime.fromisoformat(after).replace(tzinfo=place).timestamp()
    assert found.timestamp() == next(schedule_execution_time_iterator(since, cron, zone)).timestamp()


@pytest.mark.parametrize("text", ["every day", "0 0 * *", "61 * * * *", ""])
def test_a_wrong_cron_expression_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no cron expression"):
        check_cron(text)
