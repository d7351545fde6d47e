"""How much of each unit a part of a month is (spec invoices 1.4)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from waldur_dagster.invoices.term import Term
from waldur_dagster.platform.month import Month

TALLINN = ZoneInfo("Europe/Tallinn")


def term(start: str) -> Term:
    since = datetime.fromisoformat(start).replace(tzinfo=TALLINN)
    return Term.rest(Month.of(since, TALLINN), since)


@pytest.mark.parametrize(
    ("start", "hours", "days", "half_months", "months"),
    [
        ("2025-04-01T00:00", 720, 30, "2", "1"),
        ("2025-04-01T12:00", 708, 30, "2", "1"),
        ("2025-04-10T09:30", 495, 21, "1.40", "0.70"),
        ("2025-04-16T00:00", 360, 15, "1", "0.50"),
        ("2025-04-15T23:59", 361, 16, "1.07", "0.54"),
        ("2025-04-30T23:30", 1, 1, "0.07", "0.04"),
        ("2025-02-10T00:00", 456, 19, "1.43", "0.68"),
        ("2025-03-30T00:00", 48, 2, "0.13", "0.07"),  # the clocks go forward: 47 hours, of which Waldur bills 48
    ],
)
def test_the_rest_of_a_month(start: str, hours: int, days: int, half_months: str, months: str) -> None:
    rest = term(start)
    assert (rest.hours, rest.days) == (hours, days)
    assert (rest.half_months, rest.months) == (Decimal(half_months), Decimal(months))


def test_a_whole_month_is_the_rest_of_it_at_its_first_moment() -> None:
    month = Month(2025, 4, TALLINN)
    assert Term.whole(month).quantities() == term("2025-04-01T00:00").quantities()
