"""Money arithmetic of invoices (spec invoices 1.2), once in SQL and once in Python.

Decimal arithmetic everywhere. What is stored is rounded by the column itself, ties away from zero.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, ROUND_UP, Context, Decimal
from typing import Any

from sqlalchemy import ColumnElement, Numeric, cast, func, literal_column

from waldur_dagster.schema import invoices

CENT = Decimal("0.01")
# Two columns of 22 digits multiply to 44: PostgreSQL keeps them all, and so must Python.
EXACT = Context(prec=60)
HUNDREDTH = literal_column("0.01", Numeric)


def round_up(amount: ColumnElement[Any]) -> ColumnElement[Decimal]:
    """To 2 places, away from zero: 0.0000001 is a cent."""
    return func.sign(amount) * func.ceil(func.abs(amount) * 100) * HUNDREDTH


def item_price(item: Any = invoices.invoiceitem) -> ColumnElement[Decimal]:
    """Price of an item without VAT."""
    return round_up(item.c.unit_price * item.c.quantity)


def with_tax(amount: ColumnElement[Any], tax_percent: ColumnElement[Any]) -> ColumnElement[Decimal]:
    return amount * (1 + cast(tax_percent, Numeric) * HUNDREDTH)


def price_of(unit_price: Decimal, quantity: Decimal) -> Decimal:
    """Price of an item without VAT, as ``item_price`` has it."""
    return EXACT.multiply(unit_price, quantity).quantize(CENT, ROUND_UP, EXACT)


def stored(amount: Decimal, places: int) -> Decimal:
    """What a numeric column with that many places keeps."""
    return amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, EXACT)
