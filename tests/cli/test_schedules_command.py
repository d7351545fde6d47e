"""Switching schedules on a Dagster instance, and the settings that switch Celery beat off for them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickData, TickStatus

from tests.cli.conftest import ONLY_INVOICES, Terminal
from waldur_dagster.catalog import CATALOG, entries_of
from waldur_dagster.cli.instance import code_location

pytestmark = pytest.mark.waits
DOWN = "postgresql://waldur@127.0.0.1:1/waldur"  # schedules are switched without the site
NOT_HERE = ONLY_INVOICES + "\n[entries.update-invoices-total-cost]\nregistered = false"
BILLING, REMINDERS = "waldur-create-invoices", "send-notifications-about-upcoming-ends"


def test_schedules_are_switched_on_and_off_and_beat_is_told_what_to_leave(terminal: Terminal) -> None:
    terminal.configure(DOWN, NOT_HERE)
    family = terminal("schedules", "start", "invoices")
    started = {e.name for e in entries_of("invoices")} - {"update-invoices-total-cost"}
    assert set(family.out.splitlines()) == {f"{name}: running" for name in started}
    assert family.status == 1
    assert family.err.startswith("update-invoices-total-cost: has no schedule on this deployment")

    stopped = terminal("schedules", "stop", REMINDERS)
    assert (stopped.status, stopped.out) == (0, f"{REMINDERS}: stopped\n")

    snippet = terminal("cutover").out
    beat = dict.fromkeys(CATALOG, "as in Celery")
    exec(snippet, {"CELERY_BEAT_SCHEDULE": beat})
    exec(snippet, {"CELERY_BEAT_SCHEDULE": beat})
    assert set(CATALOG) - set(beat) == started - {REMINDERS}

    listed = terminal("schedules", "--family", "invoices").out
    rows = {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in map(_cells, listed.splitlines())}
    assert rows[BILLING][0] == "0 0 1 * *"
    assert re.fullmatch(r"\d{4}-\d\d-01 00:00", rows[BILLING][1])
    assert rows[BILLING][2:4] == ["off by default", "running"]
    assert rows[REMINDERS][1:4] == ["", "off by default", "stopped"]
    assert rows["update-invoices-total-cost"][1:4] == ["", "not registered", ""]


def _cells(line: str) -> list[str]:
    return re.split("[│┃]", line)[1:-1] or [line]


def test_what_the_file_switches_on_by_default_counts_as_running(terminal: Terminal) -> None:
    terminal.configure(DOWN, ONLY_INVOICES + f"\n[entries.{BILLING}]\nrunning = true")
    snippet = terminal("cutover").out
    assert f'"{BILLING}"' in snippet and f'"{REMINDERS}"' not in snippet


def test_a_name_that_is_none_is_answered_with_what_looks_like_it(terminal: Terminal) -> None:
    terminal.configure(DOWN)
    answer = terminal("schedules", "start", "waldur-create-invoice")
    assert (answer.status, answer.out) == (2, "")
    assert f"did you mean {BILLING}" in answer.err


def test_a_workspace_that_is_not_there_is_told(terminal: Terminal) -> None:
    terminal.configure(DOWN)
    answer = terminal("schedules", "--workspace", "nowhere.yaml")
    assert answer.status == 2 and "nowhere.yaml does not exist" in answer.err


def test_what_was_skipped_in_the_last_week_is_told_by_entry(terminal: Terminal) -> None:
    terminal.configure(DOWN)
    with code_location(Path("workspace.yaml")) as (instance, repository):
        (schedule,) = [one for one in repository.get_schedules() if one.name == "waldur_create_invoices"]
        for days, status in (
            (1, TickStatus.SKIPPED),
            (2, TickStatus.SKIPPED),
            (3, TickStatus.SUCCESS),
            (9, TickStatus.SKIPPED),
        ):
            instance.create_tick(
                TickData(
                    instigator_origin_id=schedule.get_remote_origin_id(),
                    instigator_name=schedule.name,
                    instigator_type=InstigatorType.SCHEDULE,
                    status=status,
                    timestamp=(datetime.now(UTC) - timedelta(days=days)).timestamp(),
                    selector_id=schedule.selector_id,
                    skip_reason=f"reason {days}" if status is TickStatus.SKIPPED else None,
                    run_ids=[],
                )
            )
    told = terminal("schedules", "--family", "invoices").out
    (line,) = [line for line in told.splitlines() if "skipped" in line]
    assert line.startswith(f"{BILLING}: 2 ticks skipped in the last week, the last ") and line.endswith(": reason 1")
