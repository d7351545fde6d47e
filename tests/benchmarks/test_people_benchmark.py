"""The benchmark of reviewers and accounts runs, and what it measures does not grow where it must not."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine

from benchmarks import people


def test_ten_times_the_proposals_and_projects_ask_as_much(new_database: Callable[[], Engine]) -> None:
    small, large = (people.measure(new_database(), size, size // 10, lambda _: None) for size in (1000, 10_000))
    for few, many in zip(small.first, large.first, strict=True):
        assert len(many.statements) == len(few.statements), few.name
        assert many.rows > 5 * few.rows > 0, few.name
    assert not any(stage.rows for stage in (*small.again, *large.again))
