"""Limits by quarter and year, and units of quarters (spec newer_billing 1.6, 1.7 and 1.12)."""

from __future__ import annotations

from calendar import isleap
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies

from tests.scene import Scene, bill
from waldur_dagster.invoices.term import Term
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import invoices

newest = pytest.mark.generation("8")
TALLINN = ZoneInfo("Europe/Tallinn")


def _limited(scene: Scene, limit: Any, period: str, price: float, unit: str = "month", **resource: Any) -> int:
    customer = scene.customer()
    offering = scene.offering(customer)
    plan = scene.plan(offering, unit=unit)
    scene.price(plan, scene.component(offering, "cpu", "limit", limit_period=period), price)
    return scene.resource(scene.project(customer), offering, plan, limits={"cpu": limit}, **resource)


def _bill(scene: Scene, *months: str) -> list[Any]:
    for month in months:
        with scene.site() as site:
            bill(site, f"{month}-01T00:00:00+00:00")
    return scene.rows(invoices.invoiceitem)


@newest
@pytest.mark.parametrize(("unit", "quantity", "total"), [("month", 4, 40), ("day", 360, 3600)])
def test_a_limit_by_quarter_is_billed_once_for_all_of_it(scene: Scene, unit: str, quantity: int, total: int) -> None:
    _limited(scene, 4, "quarterly", 10, unit)
    (item,) = _bill(scene, "2025-01", "2025-02", "2025-03")
    assert (item.quantity, item.unit_price * item.quantity) == (quantity, total)
    assert (item.start, item.end) == (datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 3, 31, 23, 59, 59, 999999, UTC))
    (period,) = item.details["resource_limit_periods"]
    assert (period["billing_periods"], period["total"]) == (90, "360")


@newest
def test_a_limit_by_quarter_that_begins_within_one_is_billed_from_the_next(scene: Scene) -> None:
    _limited(scene, 4, "quarterly", 10, created=datetime(2025, 2, 15, tzinfo=UTC))
    (item,) = _bill(scene, "2025-03", "2025-04")
    assert item.start == datetime(2025, 4, 1, tzinfo=UTC)


@newest
def test_a_limit_by_year_is_billed_once_a_year_with_the_cycle_that_holds_the_months_first_day(
    scene: Scene,
) -> None:
    """The first of two such items carries the cycle that was billed when the resource was made, as in Waldur."""
    _limited(scene, 2, "annual", 100, created=datetime(2024, 5, 10, tzinfo=UTC))
    first, second = _bill(scene, "2025-04", "2025-05", "2025-06", "2026-05")
    assert (first.start, first.end) == (datetime(2024, 5, 10, tzinfo=UTC), datetime(2025, 5, 9, 23, 59, 59, tzinfo=UTC))
    assert (second.start.year, second.end) == (2025, datetime(2026, 5, 9, 23, 59, 59, tzinfo=UTC))
    assert {item.unit_price * item.quantity for item in (first, second)} == {200}


@newest
def test_no_year_before_the_resource_was_made_is_billed(scene: Scene) -> None:
    _limited(scene, 2, "annual", 100, created=datetime(2024, 5, 10, tzinfo=UTC))
    assert _bill(scene, "2024-05") == []


@newest
def test_a_resource_of_29_february_has_its_years_from_28_february(scene: Scene) -> None:
    _limited(scene, 1, "annual", 100, "day", created=datetime(2024, 2, 29, 12, tzinfo=UTC))
    (item,) = _bill(scene, "2026-02")
    assert (item.start.date(), item.end) == (date(2025, 2, 28), datetime(2026, 2, 28, 11, 59, 59, tzinfo=UTC))
    assert item.quantity == 365


def test_older_sites_bill_limits_by_year_every_month(scene: Scene) -> None:
    _limited(scene, 2, "annual", 100, created=datetime(2024, 5, 10, tzinfo=UTC))
    assert [item.start.month for item in _bill(scene, "2025-04", "2025-05")] == [4, 5]


@newest
def test_a_fixed_price_by_quarter_is_due_where_a_quarter_begins(scene: Scene) -> None:
    customer = scene.customer()
    offering = scene.offering(customer)
    plan = scene.plan(offering, unit="quarter")
    scene.price(plan, scene.component(offering), 90)
    scene.resource(scene.project(customer), offering, plan)
    assert [item.quantity for item in _bill(scene, "2025-01", "2025-02")] == [1, 0]


MOMENTS = strategies.datetimes(datetime(2020, 1, 1), datetime(2031, 12, 31), timezones=strategies.just(TALLINN))


@given(MOMENTS)
def test_quarters_and_days_of_a_term_are_those_counted_one_by_one(since: datetime) -> None:
    term = Term.rest(Month.of(since, TALLINN), since)
    instants = [datetime(since.year, month, 1, tzinfo=TALLINN) for month in (1, 4, 7, 10)]
    assert term.quarters == sum(since <= instant <= term.end for instant in instants)
    days = [since + timedelta(days=n) for n in range(32)]
    assert term.days == sum(day.replace(tzinfo=None) <= term.end.replace(tzinfo=None) for day in days)
    assert 0 < term.months <= 1 and 0 < term.half_months <= 2
    assert Decimal(term.days) / term.month.days <= term.months + Decimal("0.01")


@given(strategies.integers(2020, 2040), strategies.sampled_from([1, 4, 7, 10]))
def test_a_quarter_has_the_days_of_its_months(year: int, month: int) -> None:
    quarter = Term.whole(Month(year, month, TALLINN)).quarter
    days = [Month(year, month + n, TALLINN).days for n in range(3)]
    assert quarter.days == sum(days) == {1: 90 + isleap(year), 4: 91, 7: 92, 10: 92}[month]
    assert (quarter.start.month, quarter.end.month) == (month, month + 2)
