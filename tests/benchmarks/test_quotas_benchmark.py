"""The benchmarks of quotas and policies run, and what they measure does not grow where it must not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console
from sqlalchemy import Engine

from benchmarks import policies, quotas
from benchmarks.recorder import Stage
from benchmarks.runner import stage_table
from benchmarks.site import Size

SMALL = Size(customers=20, projects=2, resources=3, components=5, offerings=8)
LARGE = replace(SMALL, customers=10 * SMALL.customers)


def _quiet(_: str) -> None:
    pass


def _counted(stages: list[Stage]) -> dict[str, int]:
    return {stage.name: len(stage.statements) for stage in stages}


@pytest.fixture(scope="module")
def small(new_database: Callable[[], Engine]) -> quotas.Figures:
    return quotas.measure(new_database(), SMALL, _quiet)


def test_every_job_of_quotas_writes_something_and_nothing_when_it_runs_again(small: quotas.Figures) -> None:
    for job in quotas.JOBS:
        assert all(stage.rows for stage in small.jobs[job.name])
        assert not any(stage.rows for stage in small.again[job.name])


def test_the_printed_table_has_a_line_for_each_stage_and_one_for_their_sum(small: quotas.Figures) -> None:
    console = Console(width=120, record=True)
    stages = small.jobs["recalculation of quotas"]
    console.print(stage_table("Quotas", [[*stages, Stage.sum("both together", stages)]]))
    printed = console.export_text()
    assert all(name in printed for name in (*(stage.name for stage in stages), "both together"))


def test_the_jobs_of_quotas_ask_as_much_for_ten_times_the_customers(
    small: quotas.Figures, new_database: Callable[[], Engine]
) -> None:
    large = quotas.measure(new_database(), LARGE, _quiet)
    written = {job.name: sum(stage.rows for stage in large.jobs[job.name]) for job in quotas.JOBS}
    assert all(rows > 8 * sum(stage.rows for stage in small.jobs[name]) for name, rows in written.items())
    assert _counted(large.stages) == _counted(small.stages)


def test_the_policies_of_ten_times_the_customers_ask_as_much_when_they_fire_and_when_nothing_changes(
    new_database: Callable[[], Engine],
) -> None:
    small, large = (policies.measure(new_database(), size, projects=True, progress=_quiet) for size in (SMALL, LARGE))
    assert large.policies > 5 * small.policies
    assert all(figures.first.rows and not any(stage.rows for stage in figures.idle) for figures in (small, large))
    assert _counted([large.first, *large.idle]) == _counted([small.first, *small.idle])
