"""What credits would pay if the customers' newest invoices were closed now (spec quotas, compensation)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import Integer, Select, Subquery, and_, any_, exists, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on

from waldur_dagster.invoices.credit_rows import load_credits, stream_invoices
from waldur_dagster.invoices.credits import ZERO, compensate
from waldur_dagster.schema import invoices, structure
from waldur_dagster.work import Work

PENDING = "pending"
invoice, credit = invoices.invoice, invoices.customercredit


@dataclass
class Compensations:
    """With VAT, by customer (with the tail of a minimal consumption), and by customer and project of the resource."""

    by_customer: dict[int, Decimal] = field(default_factory=dict)
    by_project: dict[tuple[int, int], Decimal] = field(default_factory=dict)

    def of_customer(self, customer_id: int) -> Decimal:
        return self.by_customer.get(customer_id, ZERO)

    def of_project(self, customer_id: int, project_id: int) -> Decimal:
        return self.by_project.get((customer_id, project_id), ZERO)


def open_credits() -> Select[Any]:
    """(customer_id, least, most, unusual) of each credit that an open invoice could be settled with.

    A compensation is between ``least`` and ``most``: projects may take their own credits, and when that takes their
    organization's below 0, the next item pays it back. Nothing is certain about ``unusual`` ones: debts, and invoices
    with negative items.
    """
    item, project, project_credit = invoices.invoiceitem, structure.project, invoices.projectcredit
    shares = (
        select(
            project.c.customer_id,
            func.sum(project_credit.c.value).label("total"),
            func.min(project_credit.c.value).label("least"),
        )
        .join(project_credit, project_credit.c.project_id == project.c.id)
        .group_by(project.c.customer_id)
        .subquery("shares")
    )
    open_invoices = and_(invoice.c.customer_id == credit.c.customer_id, invoice.c.state == PENDING)
    # An aggregate, so that it reads the items of these few invoices; EXISTS would read all there are.
    least_factor = (
        select(func.min(func.least(item.c.unit_price, item.c.quantity)))
        .join_from(invoice, item, item.c.invoice_id == invoice.c.id)
        .where(open_invoices)
        .scalar_subquery()
    )
    total = func.coalesce(shares.c.total, 0)
    return (
        select(
            credit.c.customer_id,
            (-total).label("least"),
            (credit.c.value + total).label("most"),
            (func.least(credit.c.value, shares.c.least, least_factor) < 0).label("unusual"),
        )
        .select_from(credit.outerjoin(shares, shares.c.customer_id == credit.c.customer_id))
        .where(credit.c.value != 0, exists().where(open_invoices))
    )


def expected_compensations(work: Work, customers: Collection[int]) -> Compensations:
    """Settle the newest pending invoice of each customer on paper: nothing is written, nothing is locked."""
    result = Compensations()
    if not customers:
        return result
    newest = _newest_pending(customers)
    credits = load_credits(work, select(newest.c.customer_id), lock=False)
    for open_invoice in stream_invoices(work, select(newest.c.id)):
        own = credits.get(open_invoice.customer_id)
        if own is None or not open_invoice.items:
            continue
        compensations, tail = compensate(open_invoice.items, open_invoice.tax_percent, own)
        result.by_customer[own.customer_id] = sum((c.amount for c in compensations), tail)
        for compensation in compensations:
            key = own.customer_id, compensation.item.resource_project_id or 0
            result.by_project[key] = result.of_project(*key) + compensation.amount
    return result


def _newest_pending(customers: Collection[int]) -> Subquery:
    """(id, customer_id) of one invoice for each customer."""
    return (
        select(invoice.c.id, invoice.c.customer_id)
        .ext(distinct_on(invoice.c.customer_id))
        .where(
            invoice.c.state == PENDING,
            invoice.c.customer_id == any_(literal(sorted(customers), ARRAY(Integer))),
        )
        .order_by(invoice.c.customer_id, invoice.c.year.desc(), invoice.c.month.desc())
        .subquery("newest")
    )
