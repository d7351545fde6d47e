"""Money: SQL and Python agree."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, Numeric, literal, select

from waldur_dagster.invoices.money import price_of, round_up

AMOUNTS = st.decimals(-(10**9), 10**9, places=10, allow_nan=False, allow_infinity=False)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(st.tuples(AMOUNTS, AMOUNTS), min_size=1, max_size=20))
def test_sql_and_python_price_an_item_alike(database: Engine, pairs: list[tuple[Decimal, Decimal]]) -> None:
    with database.connect() as connection:
        products = [literal(a, Numeric) * literal(b, Numeric) for a, b in pairs]
        row = connection.execute(select(*(round_up(p).label(f"c{n}") for n, p in enumerate(products)))).one()
    assert list(row) == [price_of(a, b) for a, b in pairs]
