"""The benchmark of the monthly billing runs, and what it measures does not grow where it must not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console
from sqlalchemy import Engine

from benchmarks.billing import MAILS, STEPS, Figures, measure, table_of
from benchmarks.runner import slowest
from benchmarks.site import Size

SMALL = Size(customers=20, projects=2, resources=3, components=5, offerings=8)


def _measured(engine: Engine, size: Size) -> Figures:
    return measure(engine, size, progress=lambda _: None)


@pytest.fixture(scope="module")
def small(new_database: Callable[[], Engine]) -> Figures:
    return _measured(new_database(), SMALL)


def test_every_item_that_the_size_promises_is_billed_and_inserted_once_more_for_the_bound(small: Figures) -> None:
    assert small.items == SMALL.items
    assert small.bound.rows == 4 * small.items  # each with its event, in the logs of its invoice and its customer


def test_every_stage_of_the_job_does_some_work(small: Figures) -> None:
    rows = {stage.name: stage.rows for stage in small.steps + small.mails}
    assert set(rows) == {*STEPS, *MAILS}
    assert [name for name, count in rows.items() if not count] == ["mails (switched off)"]


def test_the_printed_table_has_a_line_for_each_stage(small: Figures) -> None:
    console = Console(width=120, record=True)
    console.print(table_of(small), slowest(small.steps, 3))
    printed = console.export_text()
    assert all(name in printed for name in (*STEPS, *MAILS, small.bound.name, "billing, all steps"))


def test_ten_times_the_customers_take_the_same_number_of_statements(
    small: Figures, new_database: Callable[[], Engine]
) -> None:
    large = _measured(new_database(), replace(SMALL, customers=10 * SMALL.customers))
    assert large.items == 10 * small.items

    def counted(figures: Figures) -> dict[str, int]:
        return {stage.name: len(stage.statements) for stage in figures.steps + figures.mails}

    assert counted(large) == counted(small)
