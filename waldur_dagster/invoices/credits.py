"""Credits, the invoices that they pay for, and what becomes of them (spec invoices 1.11, newer_billing 2.1).

Nothing in here touches the database, nor computes anything but single amounts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

from waldur_dagster.invoices.money import price_of

ZERO = Decimal(0)
CREDIT_PLACES, PRICE_PLACES = 5, 10


@dataclass(frozen=True)
class Item:
    """An item of an invoice. ``discount`` is the price, below 0, of the discount rows that lower it.

    ``paid_by`` is the credit whose compensation it is; only other items may be compensated.
    """

    id: int
    uuid: UUID
    name: str
    unit_price: Decimal
    quantity: Decimal
    discount: Decimal
    resource_id: int | None
    offering_id: int | None
    project_id: int | None
    resource_project_id: int | None
    is_compensation: bool
    is_discount: bool
    paid_by: int | None

    @property
    def price(self) -> Decimal:
        """Without VAT."""
        return price_of(self.unit_price, self.quantity)


@dataclass(eq=False)
class Balance:
    """What is left of a credit, and how much of it an invoice takes at least: ``expected``, less the grace.

    Waldur of October 2024 has no grace, and no such minimum for projects.
    """

    id: int
    value: Decimal
    expected: Decimal
    applied: bool
    grace: Decimal
    logic: str
    end_date: date | None

    def minimum(self, today: date) -> Decimal:
        """Of an invoice that is closed on a day; in the month of the credit's end there is no grace."""
        if not self.applied:
            return ZERO
        if self.end_date is not None and (self.end_date.year, self.end_date.month) == (today.year, today.month):
            return self.expected
        return self.expected * (100 - self.grace) / 100


@dataclass(eq=False)
class ProjectCredit(Balance):
    """``spills_over``: what it cannot pay, its organization's credit pays."""

    project_id: int
    spills_over: bool


@dataclass(eq=False)
class CustomerCredit(Balance):
    """A customer's credit with those of its projects; ``offerings`` limits what it pays for, when there are any."""

    customer_id: int
    offerings: frozenset[int] = frozenset()
    projects: dict[int, ProjectCredit] = field(default_factory=dict)

    def pays_for(self, item: Item) -> bool:
        return item.resource_id is not None and (not self.offerings or item.offering_id in self.offerings)


@dataclass(frozen=True)
class OpenInvoice:
    """An invoice that is being closed. ``previous_month_pending``: last month's invoice is not closed yet.

    ``paid`` are the compensations that it has already: it was closed before, and opened again.
    """

    id: int
    customer_id: int
    customer_name: str
    tax_percent: Decimal
    items: Sequence[Item]
    paid: Sequence[Item]
    previous_month_pending: bool

    def paid_by(self, credit: Balance) -> list[Item]:
        """The compensations of a credit."""
        return [item for item in self.paid if item.paid_by == credit.id]


@dataclass(frozen=True)
class Compensation:
    """``amount`` of an item is paid by credit; it becomes an item of its own, ``uuid``, with the negative amount.

    ``draw`` is what the credit lost, ``project_draw`` the part of it that its project's own credit lost too.
    ``balance`` and ``project_balance`` are what was left after it.
    """

    item: Item
    amount: Decimal
    draw: Decimal
    balance: Decimal
    project: ProjectCredit | None = None
    project_draw: Decimal = ZERO
    project_balance: Decimal = ZERO
    uuid: UUID = field(default_factory=uuid4)

    @property
    def name(self) -> str:
        return f"Credit compensation. {self.item.name or f'<InvoiceItem {self.item.id}>'}"


@dataclass(frozen=True)
class Tail:
    """What was missing to the minimum was taken from a balance without an item; ``balance`` is what was left."""

    of: Balance
    amount: Decimal
    minimum: Decimal
    balance: Decimal


@dataclass(frozen=True)
class Change:
    """A value of a balance, or its expected consumption, became another one."""

    of: Balance
    old: Decimal
    new: Decimal


@dataclass(frozen=True)
class Movement:
    """A row of the ledger: a change of a balance's value, and what it was for."""

    of: Balance
    kind: str
    amount: Decimal


@dataclass(frozen=True)
class Settlement:
    """What closing one invoice does to its customer's credit, in the order in which it happens."""

    invoice: OpenInvoice
    credit: CustomerCredit
    rolled_back: tuple[Change, ...]
    value_before: Decimal
    value_after: Decimal
    compensations: tuple[Compensation, ...]
    tail: Tail | None
    project_tails: tuple[Tail, ...]
    expected: tuple[Change, ...]
    projects: tuple[ProjectCredit, ...]
    movements: tuple[Movement, ...]


class CreditOverflow(Exception):
    """A credit, or what it pays, would grow beyond what its column holds."""
