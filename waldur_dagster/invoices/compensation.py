"""What a credit pays of an invoice: a running balance on two levels, organization and project.

Waldur of October 2024 (``GROSS``, spec invoices 1.11) and newer versions (``NET``, spec newer_billing 2.2 to 2.5) do
the same steps; what they compute differently are the members of ``Rules``.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from waldur_dagster.invoices.credits import (
    PRICE_PLACES,
    ZERO,
    Balance,
    Compensation,
    CustomerCredit,
    Item,
    Tail,
)
from waldur_dagster.invoices.money import EXACT, stored


def with_vat(item: Item, tax_percent: Decimal) -> Decimal:
    """Not rounded; a refund makes the credit grow."""
    price = item.price + item.discount
    return price + price * tax_percent / 100


def without_vat(item: Item, _: Decimal) -> Decimal:
    return max(ZERO, item.price + item.discount)


def as_it_is(rest: Decimal, _: Decimal) -> Decimal:
    return rest


def less_vat(rest: Decimal, tax_percent: Decimal) -> Decimal:
    """So that with VAT it is the rest; as its column keeps it."""
    return stored(EXACT.divide(rest, 1 + tax_percent / 100), PRICE_PLACES)


def in_equal_parts(credit: Balance, _: Decimal, today: date, previous_month_pending: bool) -> Decimal:
    """What is left, over the months until the credit ends."""
    assert credit.end_date is not None
    months = (credit.end_date.year - today.year) * 12 + credit.end_date.month - today.month + previous_month_pending
    return credit.value if months == 0 else credit.value / months


def by_days(credit: Balance, consumed: Decimal, today: date, _: bool) -> Decimal:
    """What was not consumed of the last expectation, moved towards this month's share of what is left."""
    assert credit.end_date is not None
    days = (credit.end_date.replace(day=1) - today).days
    of_month = Decimal(monthrange(today.year, today.month)[1])
    share = Decimal(1) if days <= 0 else min(Decimal(1), of_month / days)
    return max(ZERO, credit.expected - consumed) * (1 - share) + credit.value * share


@dataclass(frozen=True)
class Rules:
    """What versions compute differently.

    ``cost`` of an item is what a credit has to pay for it; when it has less, ``of_rest`` is what its rest pays, given
    the VAT. ``spread`` is the next expected consumption of a linear credit. ``reopens``: an invoice that has
    compensations already gives them back first, and linear credits go on although nothing was consumed. ``largest``
    is what a credit's column holds.
    """

    cost: Callable[[Item, Decimal], Decimal]
    of_rest: Callable[[Decimal, Decimal], Decimal]
    spread: Callable[[Balance, Decimal, date, bool], Decimal]
    reopens: bool
    largest: Decimal


GROSS = Rules(with_vat, as_it_is, in_equal_parts, False, Decimal(10) ** 6)  # numeric(11, 5)
NET = Rules(without_vat, less_vat, by_days, True, Decimal(10) ** 11)  # numeric(16, 5)


def compensate(
    items: Sequence[Item], tax_percent: Decimal, credit: CustomerCredit, today: date, rules: Rules
) -> tuple[tuple[Compensation, ...], Tail | None]:
    """What ``credit`` pays of an invoice's items, and the tail that its minimal consumption takes on top.

    Changes ``credit`` to what is left of it.
    """
    compensations = tuple(_compensations(items, tax_percent, credit, rules))
    return compensations, take_tail(credit, sum((paid.amount for paid in compensations), ZERO), today)


def take_tail(balance: Balance, consumed: Decimal, today: date) -> Tail | None:
    """Take from a balance what is missing to its minimal consumption, as far as there is something."""
    minimum = balance.minimum(today)
    if minimum == 0 or consumed >= minimum:
        return None
    amount = min(minimum - consumed, balance.value)
    balance.value -= amount
    return Tail(balance, amount, minimum, balance.value)


def _compensations(
    items: Sequence[Item], tax_percent: Decimal, credit: CustomerCredit, rules: Rules
) -> Iterator[Compensation]:
    """The cheapest items first; until the organization's credit is used up."""
    candidates = (item for item in items if credit.pays_for(item) and not item.is_discount and not item.is_compensation)
    for item in sorted(candidates, key=lambda item: item.price):
        paid = _pay(item, tax_percent, credit, rules)
        if paid.amount != 0:
            yield paid
        if credit.value == 0:
            return


def _pay(item: Item, tax_percent: Decimal, credit: CustomerCredit, rules: Rules) -> Compensation:
    """A project with a credit of its own pays with that, and its organization's credit is reduced with it."""
    cost, project = rules.cost(item, tax_percent), credit.projects.get(item.project_id or 0)
    own, rest = ZERO, cost
    if project is not None:
        own = min(cost, project.value)
        project.value -= own
        credit.value -= own
        rest = cost - own if project.spills_over else ZERO
    amount = draw = rest
    if (project is None or rest != 0) and rest >= credit.value:
        draw, amount = credit.value, rules.of_rest(credit.value, tax_percent)
    credit.value -= draw
    left = project.value if project else ZERO
    return Compensation(item, own + amount, own + draw, credit.value, project, own, left)
