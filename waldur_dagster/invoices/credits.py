"""Credits: what a customer has paid in advance is taken off the invoice that is closed (spec invoices 1.11).

The arithmetic is a running balance on two levels, organization and project, so it is done here, customer by customer,
on rows that were loaded for all customers at once. Nothing here touches the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from waldur_dagster.invoices.money import price_of, stored

ZERO = Decimal(0)
CREDIT_PLACES, PRICE_PLACES = 5, 10
CREDIT_LIMIT, PRICE_LIMIT = Decimal(10) ** 6, Decimal(10) ** 12  # numeric(11, 5), numeric(22, 10)


@dataclass(frozen=True)
class Item:
    """An item of an invoice that may be compensated."""

    id: int
    name: str
    unit_price: Decimal
    quantity: Decimal
    resource_id: int | None
    offering_id: int | None
    project_id: int | None
    resource_project_id: int | None

    @property
    def price(self) -> Decimal:
        return price_of(self.unit_price, self.quantity)

    def cost(self, tax_percent: Decimal) -> Decimal:
        """With VAT, not rounded."""
        return self.price + self.price * tax_percent / 100


@dataclass
class ProjectCredit:
    id: int
    project_id: int
    value: Decimal
    use_organisation_credit: bool


@dataclass
class CustomerCredit:
    """A customer's credit with those of its projects; ``offerings`` limits what it pays for, when there are any."""

    id: int
    customer_id: int
    value: Decimal
    end_date: date | None
    minimal_consumption: Decimal
    logic: str
    offerings: frozenset[int] = frozenset()
    projects: dict[int, ProjectCredit] = field(default_factory=dict)


@dataclass(frozen=True)
class OpenInvoice:
    """An invoice that is being closed. ``previous_month_pending``: last month's invoice is not closed yet."""

    id: int
    customer_id: int
    customer_name: str
    tax_percent: Decimal
    items: Sequence[Item]
    previous_month_pending: bool


@dataclass(frozen=True)
class Compensation:
    """``amount`` of an item is paid by credit; it becomes an item of its own with the negative amount."""

    item: Item
    amount: Decimal

    @property
    def name(self) -> str:
        return f"Credit compensation. {self.item.name or '<InvoiceItem id>'}"


@dataclass(frozen=True)
class Settlement:
    """What closing one invoice does to its customer's credit."""

    invoice: OpenInvoice
    credit: CustomerCredit
    value_before: Decimal
    value_after: Decimal
    compensations: tuple[Compensation, ...]
    tail: Decimal
    applied_minimum: Decimal
    projects: tuple[ProjectCredit, ...]


class CreditOverflow(Exception):
    """A credit, or what it pays, would grow beyond what its column holds."""


def settle(invoice: OpenInvoice, credit: CustomerCredit, today: date) -> Settlement | None:
    """Compensate one invoice; changes ``credit`` to what is left of it. None when there is nothing to do."""
    if credit.value == 0 or not invoice.items:
        return None
    before, minimum = credit.value, credit.minimal_consumption
    compensations, tail = compensate(invoice.items, invoice.tax_percent, credit)
    touched = tuple(
        credit.projects[project_id]
        for project_id in sorted({item.project_id for item in invoice.items if item.project_id in credit.projects})
    )
    if credit.logic == "linear" and credit.end_date is not None:
        credit.minimal_consumption = _linear_minimum(credit, today, invoice.previous_month_pending)
    for compensation in compensations:
        if abs(compensation.amount) >= PRICE_LIMIT:
            raise CreditOverflow(f"{compensation.name} would be {-compensation.amount}, more than an item holds")
    after = credit.value
    _keep_as_stored(credit, touched)
    return Settlement(invoice, credit, before, after, compensations, tail, minimum, touched)


def compensate(
    items: Sequence[Item], tax_percent: Decimal, credit: CustomerCredit
) -> tuple[tuple[Compensation, ...], Decimal]:
    """What ``credit`` pays of an invoice's items, and the tail that its minimal consumption takes on top.

    Changes ``credit`` to what is left of it.
    """
    compensations = tuple(_compensations(items, tax_percent, credit))
    minimum, consumed = credit.minimal_consumption, sum((compensation.amount for compensation in compensations), ZERO)
    tail = min(minimum - consumed, credit.value) if minimum != 0 and consumed < minimum else ZERO
    credit.value -= tail
    return compensations, tail


def _compensations(items: Sequence[Item], tax_percent: Decimal, credit: CustomerCredit) -> Iterable[Compensation]:
    """The cheapest items first; until the organization's credit is used up."""
    candidates = (
        item
        for item in items
        if item.resource_id is not None and (not credit.offerings or item.offering_id in credit.offerings)
    )
    for item in sorted(candidates, key=lambda item: item.price):
        amount = _take(item.cost(tax_percent), credit, credit.projects.get(item.project_id or 0))
        if amount != 0:
            yield Compensation(item, amount)
        if credit.value == 0:
            return


def _take(cost: Decimal, credit: CustomerCredit, project: ProjectCredit | None) -> Decimal:
    if project is None:
        amount = min(cost, credit.value)
        credit.value -= amount
        return amount
    if cost < project.value:
        project.value -= cost
        credit.value -= cost
        return cost
    amount = project.value
    rest = cost - project.value
    project.value = ZERO
    credit.value -= amount
    if project.use_organisation_credit and rest != 0:
        more = min(rest, credit.value)
        credit.value -= more
        amount += more
    return amount


def _linear_minimum(credit: CustomerCredit, today: date, previous_month_pending: bool) -> Decimal:
    """What is left, in equal parts over the months until the credit ends."""
    assert credit.end_date is not None
    months = (credit.end_date.year - today.year) * 12 + credit.end_date.month - today.month + previous_month_pending
    return credit.value if months == 0 else credit.value / months


def _keep_as_stored(credit: CustomerCredit, projects: Sequence[ProjectCredit]) -> None:
    """Round the balances as their columns do, so that the customer's next invoice starts from what is stored."""
    credit.value = stored(credit.value, CREDIT_PLACES)
    credit.minimal_consumption = stored(credit.minimal_consumption, CREDIT_PLACES)
    for project in projects:
        project.value = stored(project.value, CREDIT_PLACES)
    for value in (credit.value, credit.minimal_consumption, *(project.value for project in projects)):
        if abs(value) >= CREDIT_LIMIT:
            raise CreditOverflow(f"a credit would become {value}, more than its column holds")
