"""The arithmetic of credits, against another computation that is as slow and simple as it can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waldur_dagster.invoices.compensation import GROSS, NET, by_days, compensate, less_vat
from waldur_dagster.invoices.credits import CustomerCredit, Item, OpenInvoice, ProjectCredit, Settlement
from waldur_dagster.invoices.settlement import settle

APRIL = date(2025, 4, 1)
PRICES = st.decimals(0, 1000, places=2, allow_nan=False, allow_infinity=False)
VALUES = st.decimals(0, 1000, places=5, allow_nan=False, allow_infinity=False)
TAXES = st.decimals(0, 30, places=2, allow_nan=False, allow_infinity=False)


def item(number: int, price: Decimal | int, project: int = 1, *, discount: Decimal | int = 0, of: int = 0) -> Item:
    """An item of a resource in the project ``of``, which is that of the item when nothing else is said."""
    uuid, name = UUID(int=number), f"Item {number}"
    facts = (number, uuid, name, Decimal(price), Decimal(1), Decimal(discount), 1, 1, project, of or project)
    return Item(*facts, is_compensation=False, is_discount=False, paid_by=None)


def credit(
    value: Decimal | int,
    *projects: ProjectCredit,
    expected: Decimal | int = 0,
    grace: int = 0,
    end_date: date | None = None,
) -> CustomerCredit:
    own = {project.project_id: project for project in projects}
    terms = Decimal(value), Decimal(expected), True, Decimal(grace), "fixed", end_date
    return CustomerCredit(1, *terms, customer_id=1, projects=own)


def share(project: int, value: Decimal | int, *, spills_over: bool = False) -> ProjectCredit:
    return ProjectCredit(project, Decimal(value), Decimal(0), True, Decimal(0), "fixed", None, project, spills_over)


def closed(items: list[Item], tax: Decimal | int = 0, paid: list[Item] | None = None) -> OpenInvoice:
    return OpenInvoice(1, 1, "Org", Decimal(tax), items, paid or [], previous_month_pending=False)


def cents(amount: Fraction) -> Fraction:
    """To cents, away from zero."""
    whole = amount * 100
    return Fraction(-(-whole.numerator // whole.denominator), 100)


def places(amount: Fraction, count: int) -> Fraction:
    """As a column with that many places keeps it."""
    return Fraction(
        (Decimal(amount.numerator) / Decimal(amount.denominator)).quantize(Decimal(1).scaleb(-count), ROUND_HALF_UP)
    )


def slowly(
    items: list[tuple[Decimal, Decimal, int]], tax: Decimal, value: Decimal, shares: dict[int, Decimal]
) -> tuple[list[Fraction], Fraction, dict[int, Fraction]]:
    """Newer rules, item by item in fractions: what each compensation is, and what is left (spec newer_billing 2.2)."""
    left, own = Fraction(value), {project: Fraction(amount) for project, amount in shares.items()}
    paid = []
    for price, discount, project in sorted(items, key=lambda given: given[0]):
        cost = max(Fraction(0), Fraction(price) + Fraction(discount))
        if project in own:
            amount = own[project] if cost >= own[project] else cost
            own[project] -= amount
            left -= amount
        elif cost >= left:
            amount = places(left / (1 + Fraction(tax) / 100), 10)
            left = Fraction(0)
        else:
            amount = cost
            left -= cost
        if amount:
            paid.append(amount)
        if left == 0:
            break
    return paid, left, own


@settings(deadline=None)
@given(
    items=st.lists(st.tuples(PRICES, PRICES, st.integers(1, 3)), min_size=1, max_size=8),
    tax=TAXES,
    value=VALUES.filter(bool),
    shares=st.dictionaries(st.integers(1, 2), VALUES),
)
def test_newer_compensation_is_what_a_slow_computation_says(
    items: list[tuple[Decimal, Decimal, int]], tax: Decimal, value: Decimal, shares: dict[int, Decimal]
) -> None:
    given_items = [(price, -min(off, price), project) for price, off, project in items]
    lines = [item(n, price, project, discount=off) for n, (price, off, project) in enumerate(given_items, 1)]
    own = credit(value, *(share(project, amount) for project, amount in shares.items()))
    made = settle(closed(lines, tax), own, APRIL, NET)
    assert made is not None
    paid, left, projects = slowly(given_items, tax, value, shares)
    assert [Fraction(found.amount) for found in made.compensations] == paid
    assert Fraction(own.value) == places(left, 5)
    assert {id: Fraction(found.value) for id, found in own.projects.items()} == {
        id: places(amount, 5) for id, amount in projects.items()
    }
    assert_the_ledger_tells_every_change(made, {None: value} | dict(shares.items()))


def assert_the_ledger_tells_every_change(made: Settlement, before: Mapping[Any, Decimal]) -> None:
    for project, value in before.items():
        balance = made.credit if project is None else made.credit.projects[project]
        booked = sum((movement.amount for movement in made.movements if movement.of is balance), Decimal(0))
        assert booked == balance.value - value
    assert all(movement.amount != 0 for movement in made.movements)


@settings(deadline=None)
@given(
    prices=st.lists(PRICES, min_size=1, max_size=8),
    value=VALUES.filter(bool),
    tax=TAXES,
    expected=VALUES,
    grace=st.integers(0, 100),
)
def test_an_invoice_takes_at_least_the_minimum_and_never_more_than_there_is(
    prices: list[Decimal], value: Decimal, tax: Decimal, expected: Decimal, grace: int
) -> None:
    own = credit(value, expected=expected, grace=grace)
    made = settle(closed([item(n, price) for n, price in enumerate(prices, 1)], tax), own, APRIL, NET)
    assert made is not None
    minimum = expected * (100 - grace) / 100
    taken = value - own.value
    assert 0 <= own.value <= value
    assert taken >= min(minimum, value) - Decimal("0.00001") or own.value == 0
    if made.tail:
        paid = sum(found.amount for found in made.compensations)
        assert paid + made.tail.amount == minimum or own.value == 0
    assert_the_ledger_tells_every_change(made, {None: value})


@settings(deadline=None)
@given(rest=VALUES, tax=TAXES)
def test_what_a_rest_pays_is_the_rest_again_with_vat(rest: Decimal, tax: Decimal) -> None:
    assert abs(less_vat(rest, tax) * (1 + tax / 100) - rest) <= Decimal("0.0000000001")


@settings(deadline=None)
@given(prices=st.lists(PRICES, min_size=1, max_size=8), value=PRICES.filter(bool))
def test_what_a_credit_of_2024_loses_is_what_the_items_gain(prices: list[Decimal], value: Decimal) -> None:
    own = credit(value)
    made = settle(closed([item(n, price) for n, price in enumerate(prices, 1)]), own, APRIL, GROSS)
    assert made is not None
    paid = sum(compensation.amount for compensation in made.compensations)
    assert paid == value - own.value == min(value, sum(prices))


@settings(deadline=None)
@given(
    items=st.lists(st.tuples(PRICES, st.integers(1, 3), st.integers(1, 3)), max_size=8),
    value=PRICES.filter(bool),
    shares=st.dictionaries(st.integers(1, 3), st.tuples(PRICES, st.booleans())),
    minimum=PRICES,
)
def test_a_compensation_of_2024_is_within_the_bounds_that_spare_its_settlement(
    items: list[tuple[Decimal, int, int]], value: Decimal, shares: dict[int, tuple[Decimal, bool]], minimum: Decimal
) -> None:
    """``open_credits`` says them: from minus all credits of projects to the credit with all of them."""
    lines = [item(n, price, by, of=of) for n, (price, by, of) in enumerate(items, 1)]
    projects = [share(project, amount, spills_over=spills) for project, (amount, spills) in shares.items()]
    compensations, tail = compensate(lines, Decimal(20), credit(value, *projects, expected=minimum), APRIL, GROSS)
    by_project = [sum(c.amount for c in compensations if c.item.resource_project_id == project) for project in shares]
    customers = sum((c.amount for c in compensations), tail.amount if tail else Decimal(0))
    total = sum(amount for amount, _ in shares.values())
    assert all(-total <= amount <= value + total for amount in (*by_project, customers))


def test_discount_rows_and_compensations_are_never_compensated_themselves() -> None:
    discount, paid = replace(item(1, -20), is_discount=True), replace(item(2, -5), is_compensation=True)
    own = credit(100)
    compensations, _ = compensate([discount, paid, item(3, 30, discount=-20)], Decimal(0), own, APRIL, NET)
    assert ([found.amount for found in compensations], own.value) == ([10], 90)


@pytest.mark.parametrize(
    ("today", "end", "expected"),
    [
        (date(2024, 11, 1), date(2025, 10, 1), Decimal("143.71257")),  # 30 of 334 days
        (date(2025, 10, 1), date(2025, 10, 1), Decimal("1600")),
        (date(2025, 11, 1), date(2025, 10, 1), Decimal("1600")),
        (date(2025, 9, 15), date(2025, 10, 1), Decimal("1600")),  # fewer days than the month has
    ],
    ids=["in eleven months", "today", "a month ago", "within a month"],
)
def test_what_a_linear_credit_expects_is_this_months_share_of_what_is_left(
    today: date, end: date, expected: Decimal
) -> None:
    own = credit(1600, expected=100, end_date=end)
    assert round(by_days(own, Decimal(100), today, False), 5) == expected


def test_what_was_expected_and_not_consumed_is_carried_on() -> None:
    own = credit(1600, expected=100, end_date=date(2025, 10, 1))
    share_of_month = Decimal(30) / 334
    expected = 60 * (1 - share_of_month) + 1600 * share_of_month
    assert by_days(own, Decimal(40), date(2024, 11, 1), False) == expected
