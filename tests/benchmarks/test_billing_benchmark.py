"""The benchmark of the monthly billing runs, and what it measures does not grow where it must not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from rich.console import Console
from sqlalchemy import URL, Engine, create_engine, text

from benchmarks.billing import MAILS, STEPS, Figures, measure, slowest, table_of
from benchmarks.site import Size
from waldur_dagster.demo import server

SMALL = Size(customers=20, projects=2, resources=3, components=5, offerings=8)


@pytest.fixture(scope="module")
def figures_of(postgresql: URL, template: str) -> Iterator[Callable[[Size], Figures]]:
    """Measures sites of any size, each in a database of its own."""
    engines: list[Engine] = []

    def measured(size: Size) -> Figures:
        name = f"bench_{uuid4().hex[:12]}"
        engines.append(create_engine(server.create_database(postgresql, name, template)))
        return measure(engines[-1], size, progress=lambda _: None)

    yield measured
    admin = create_engine(postgresql, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for engine in engines:
            engine.dispose()
            connection.execute(text(f'DROP DATABASE "{engine.url.database}" WITH (FORCE)'))
    admin.dispose()


@pytest.fixture(scope="module")
def small(figures_of: Callable[[Size], Figures]) -> Figures:
    return figures_of(SMALL)


def test_every_item_that_the_size_promises_is_billed_and_inserted_once_more_for_the_bound(small: Figures) -> None:
    assert small.items == SMALL.items == small.bound.rows


def test_every_stage_of_the_job_does_some_work(small: Figures) -> None:
    rows = {stage.name: stage.rows for stage in small.steps + small.mails}
    assert set(rows) == {*STEPS, *MAILS}
    assert [name for name, count in rows.items() if not count] == ["mails (switched off)"]


def test_the_printed_table_has_a_line_for_each_stage(small: Figures) -> None:
    console = Console(width=120, record=True)
    console.print(table_of(small), slowest(small, 3))
    printed = console.export_text()
    assert all(name in printed for name in (*STEPS, *MAILS, small.bound.name, "billing, all steps"))


def test_ten_times_the_customers_take_the_same_number_of_statements(
    small: Figures, figures_of: Callable[[Size], Figures]
) -> None:
    large = figures_of(Size(10 * SMALL.customers, SMALL.projects, SMALL.resources, SMALL.components, SMALL.offerings))
    assert large.items == 10 * small.items

    def counted(figures: Figures) -> dict[str, int]:
        return {stage.name: len(stage.statements) for stage in figures.steps + figures.mails}

    assert counted(large) == counted(small)
