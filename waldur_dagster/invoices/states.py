"""States of invoices (spec invoices 1.1; newer_billing 1.2)."""

from __future__ import annotations

from sqlalchemy import ColumnElement

from waldur_dagster.schema import invoices

PENDING, WAITING, BILLED, PAID, CANCELED = "pending", "pending_finalization", "created", "paid", "canceled"
OPEN = (PENDING, WAITING)


def is_open() -> ColumnElement[bool]:
    """Whether items of the invoice may still change; only newer versions let closed months wait."""
    return invoices.invoice.c.state.in_(OPEN)
