"""What credits would pay if the customers' newest invoices were closed now (spec quotas; newer_billing 3.3)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, Subquery, and_, any_, exists, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on

from waldur_dagster.invoices.compensation import compensate
from waldur_dagster.invoices.credit_columns import rules_of
from waldur_dagster.invoices.credit_rows import load_credits, stream_invoices
from waldur_dagster.invoices.credits import ZERO, Balance, CustomerCredit
from waldur_dagster.invoices.settlement import COMPENSATION, MINIMAL_DRAW, ROLLBACK
from waldur_dagster.platform.credit_ledger import keeps_ledger
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import invoices, structure
from waldur_dagster.work import Work

# Newer versions keep past invoices open for some hours.
OPEN = ("pending", "pending_finalization")
invoice, credit = invoices.invoice, invoices.customercredit


@dataclass
class Outlook:
    """What a customer's credit would pay of its newest open invoice, and what would be left of it.

    ``total`` has the tail of a minimal consumption in it; ``by_project`` goes by the project of the resource. ``left``
    and ``left_of_project`` are balances without tails.
    """

    total: Decimal = ZERO
    by_project: dict[int, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    by_resource: dict[int, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    left: Decimal = ZERO
    left_of_project: dict[int, Decimal] = field(default_factory=dict)

    def left_for(self, project_id: int) -> Decimal:
        """What a project may still use: of its own credit, where it has one, no more than its organization has."""
        return min(self.left_of_project.get(project_id, self.left), self.left)


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
    open_invoices = and_(invoice.c.customer_id == credit.c.customer_id, invoice.c.state.in_(OPEN))
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


def expected_compensations(work: Work, customers: Collection[int], *, from_ledger: bool) -> dict[int, Outlook]:
    """Settle the newest open invoice of each customer that has a credit, on paper: nothing is written or locked.

    ``from_ledger``: as if what the ledger says of this month had not happened yet.
    """
    if not customers:
        return {}
    rules = rules_of(work.schema)
    of_customers = select(credit.c.customer_id).where(_is_one_of(credit.c.customer_id, customers))
    credits = load_credits(work, of_customers, lock=False)
    if from_ledger:
        _restore(work, credits.values())
    outlooks = {customer_id: _untouched(own) for customer_id, own in credits.items()}
    for open_invoice in stream_invoices(work, select(_newest_open(customers).c.id)):
        own = credits.get(open_invoice.customer_id)
        if own is None or own.value == 0 or not open_invoice.items:
            continue
        outlook = outlooks[own.customer_id]
        compensations, tail = compensate(open_invoice.items, open_invoice.tax_percent, own, work.today, rules)
        outlook.total = sum((paid.amount for paid in compensations), tail.amount if tail else ZERO)
        for paid in compensations:
            outlook.left -= paid.draw
            if paid.project is not None:
                outlook.left_of_project[paid.project.project_id] -= paid.project_draw
            outlook.by_project[paid.item.resource_project_id or 0] += paid.amount
            outlook.by_resource[paid.item.resource_id or 0] += paid.amount
    return outlooks


def _untouched(own: CustomerCredit) -> Outlook:
    shares = {project_id: project.value for project_id, project in own.projects.items()}
    return Outlook(left=own.value, left_of_project=shares)


def _restore(work: Work, credits: Iterable[CustomerCredit]) -> None:
    """Give the balances back what this month's invoice has taken from them, as far as a ledger tells."""
    ledger = invoices.credittransaction
    if not keeps_ledger(work.schema):
        return
    projects = {project.id: project for own in credits for project in own.projects.values()}
    organizations = {own.id: own for own in credits}
    rows = work.connection.execute(
        select(ledger.c.credit_id, ledger.c.project_credit_id, func.sum(ledger.c.amount).label("change"))
        .where(
            ledger.c.billing_period == Month.of(work.as_of, work.zone).first,
            ledger.c.transaction_type.in_((COMPENSATION, MINIMAL_DRAW, ROLLBACK)),
            or_(_is_one_of(ledger.c.credit_id, organizations), _is_one_of(ledger.c.project_credit_id, projects)),
        )
        .group_by(ledger.c.credit_id, ledger.c.project_credit_id)
    )
    for row in rows:
        balance: Balance = (
            organizations[row.credit_id] if row.credit_id is not None else projects[row.project_credit_id]
        )
        balance.value += max(ZERO, -row.change)


def _is_one_of(column: ColumnElement[Any], ids: Iterable[int]) -> ColumnElement[bool]:
    return column == any_(literal(sorted(ids), ARRAY(Integer)))


def _newest_open(customers: Collection[int]) -> Subquery:
    """(id, customer_id) of one invoice for each customer."""
    return (
        select(invoice.c.id, invoice.c.customer_id)
        .ext(distinct_on(invoice.c.customer_id))
        .where(invoice.c.state.in_(OPEN), _is_one_of(invoice.c.customer_id, customers))
        .order_by(invoice.c.customer_id, invoice.c.year.desc(), invoice.c.month.desc())
        .subquery("newest")
    )
