"""What credits would pay if the customers' newest invoices were closed now (spec quotas, compensation)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy import ColumnElement, Integer, Subquery, any_, exists, literal, select, union
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on

from waldur_dagster.invoices.credit_rows import load_credits, stream_invoices
from waldur_dagster.invoices.credits import ZERO, compensate
from waldur_dagster.schema import invoices, structure
from waldur_dagster.work import Work

PENDING = "pending"
invoice, credit = invoices.invoice, invoices.customercredit


@dataclass
class Compensations:
    """With VAT, by customer (with the tail of a minimal consumption) and by the project that a resource is in."""

    by_customer: dict[int, Decimal] = field(default_factory=dict)
    by_project: dict[int, Decimal] = field(default_factory=dict)

    def of_customer(self, customer_id: int) -> Decimal:
        return self.by_customer.get(customer_id, ZERO)

    def of_project(self, project_id: int) -> Decimal:
        return self.by_project.get(project_id, ZERO)


def open_credit(customer_id: ColumnElement[int]) -> ColumnElement[Decimal]:
    """What is left of a customer's credit; NULL without credit or without an invoice that it would pay for."""
    pending = exists().where(invoice.c.customer_id == customer_id, invoice.c.state == PENDING)
    return (
        select(credit.c.value)
        .where(credit.c.customer_id == customer_id, credit.c.value != 0, pending)
        .scalar_subquery()
    )


def unusual_credits(work: Work, customers: Collection[int]) -> set[int]:
    """Those of ``customers`` whose compensation may be below 0 or above their credit.

    These are debts, credits of projects of their own, and invoices with negative items.
    """
    if not customers:
        return set()
    item, project, project_credit = invoices.invoiceitem, structure.project, invoices.projectcredit
    ids = literal(sorted(customers), ARRAY(Integer))
    found = union(
        select(credit.c.customer_id).where(credit.c.customer_id == any_(ids), credit.c.value < 0),
        select(project.c.customer_id)
        .join(project_credit, project_credit.c.project_id == project.c.id)
        .where(project.c.customer_id == any_(ids)),
        select(invoice.c.customer_id)
        .join(item, item.c.invoice_id == invoice.c.id)
        .where(
            invoice.c.customer_id == any_(ids),
            invoice.c.state == PENDING,
            (item.c.unit_price < 0) | (item.c.quantity < 0),
        ),
    )
    return set(work.connection.scalars(found))


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
            project_id = compensation.item.resource_project_id or 0
            result.by_project[project_id] = result.of_project(project_id) + compensation.amount
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
