"""Money: SQL and Python agree, and credits lose nothing."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, Numeric, literal, select

from waldur_dagster.invoices.credits import CustomerCredit, Item, OpenInvoice, ProjectCredit, compensate, settle
from waldur_dagster.invoices.money import price_of, round_up

AMOUNTS = st.decimals(-(10**9), 10**9, places=10, allow_nan=False, allow_infinity=False)
PRICES = st.decimals(0, 1000, places=2, allow_nan=False, allow_infinity=False)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(st.tuples(AMOUNTS, AMOUNTS), min_size=1, max_size=20))
def test_sql_and_python_price_an_item_alike(database: Engine, pairs: list[tuple[Decimal, Decimal]]) -> None:
    with database.connect() as connection:
        products = [literal(a, Numeric) * literal(b, Numeric) for a, b in pairs]
        row = connection.execute(select(*(round_up(p).label(f"c{n}") for n, p in enumerate(products)))).one()
    assert list(row) == [price_of(a, b) for a, b in pairs]


@settings(deadline=None)
@given(prices=st.lists(PRICES, min_size=1, max_size=8), value=PRICES.filter(bool))
def test_what_a_credit_loses_is_what_the_items_gain(prices: list[Decimal], value: Decimal) -> None:
    items = [Item(n, "I", price, Decimal(1), 1, 1, 1, 1) for n, price in enumerate(prices)]
    credit = CustomerCredit(1, 1, value, None, Decimal(0), "fixed")
    made = settle(OpenInvoice(1, 1, "Org", Decimal(0), items, False), credit, date(2025, 4, 1))
    assert made is not None
    paid = sum(compensation.amount for compensation in made.compensations)
    assert paid == value - credit.value == min(value, sum(prices))


@settings(deadline=None)
@given(
    items=st.lists(st.tuples(PRICES, st.integers(1, 3), st.integers(1, 3)), max_size=8),
    value=PRICES.filter(bool),
    shares=st.dictionaries(st.integers(1, 3), st.tuples(PRICES, st.booleans())),
    minimum=PRICES,
)
def test_a_compensation_is_within_the_bounds_that_spare_its_settlement(
    items: list[tuple[Decimal, int, int]], value: Decimal, shares: dict[int, tuple[Decimal, bool]], minimum: Decimal
) -> None:
    """``open_credits`` says them: from minus all credits of projects to the credit with all of them."""
    lines = [Item(n, "I", price, Decimal(1), 1, 1, by, of) for n, (price, by, of) in enumerate(items)]
    credit = CustomerCredit(1, 1, value, None, minimum, "fixed")
    credit.projects = {project: ProjectCredit(1, project, *share) for project, share in shares.items()}
    compensations, tail = compensate(lines, Decimal(20), credit)
    by_project = [sum(c.amount for c in compensations if c.item.resource_project_id == project) for project in shares]
    customers = sum((c.amount for c in compensations), tail)
    total = sum(share for share, _ in shares.values())
    assert all(-total <= amount <= value + total for amount in (*by_project, customers))
