"""Settling one invoice with its customer's credit, step by step (spec invoices 1.11, newer_billing 2.2 to 2.5, 2.9)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal

from waldur_dagster.invoices.compensation import Rules, compensate, take_tail
from waldur_dagster.invoices.credits import (
    CREDIT_PLACES,
    ZERO,
    Balance,
    Change,
    Compensation,
    CreditOverflow,
    CustomerCredit,
    Movement,
    OpenInvoice,
    ProjectCredit,
    Settlement,
    Tail,
)
from waldur_dagster.invoices.money import stored

PRICE_LIMIT = Decimal(10) ** 12  # numeric(22, 10)
COMPENSATION, MINIMAL_DRAW, ROLLBACK = "compensation", "minimal_draw", "rollback"


def settle(invoice: OpenInvoice, credit: CustomerCredit, today: date, rules: Rules) -> Settlement | None:
    """Compensate one invoice; changes ``credit`` to what is left of it. None when there is nothing to do."""
    rolled_back = tuple(_roll_back(invoice, credit, today)) if rules.reopens else ()
    idle = credit.value == 0 or not invoice.items
    if idle and not rules.reopens:
        return None
    before = {project: project.value for project in credit.projects.values()}
    value_before = credit.value
    compensations, tail, project_tails = ((), None, ()) if idle else _consume(invoice, credit, today, rules)
    touched = _touched(invoice, credit, rolled_back)
    consumed = _consumed(credit, compensations, [tail, *project_tails] if tail else project_tails)
    expected = tuple(_spread(invoice, credit, today, rules, consumed))
    value_after = credit.value
    _keep_as_stored(credit, rules)
    movements = [Movement(change.of, ROLLBACK, change.new - change.old) for change in rolled_back]
    for project in touched:
        draws = sum((paid.project_draw for paid in compensations if paid.project is project), ZERO)
        tails = sum((tail.amount for tail in project_tails if tail.of is project), ZERO)
        movements += _movements(project, project.value - before[project], draws, tails)
    draws = sum((paid.draw for paid in compensations), ZERO)
    movements += _movements(credit, credit.value - value_before, draws, tail.amount if tail else ZERO)
    if idle and not (rolled_back or expected):
        return None
    return Settlement(
        invoice,
        credit,
        rolled_back,
        value_before,
        value_after,
        compensations,
        tail,
        project_tails,
        expected,
        touched,
        tuple(movements),
    )


def _roll_back(invoice: OpenInvoice, credit: CustomerCredit, today: date) -> Iterator[Change]:
    """Give back what the credit has paid for the invoice already: at least the minimal consumption."""
    paid = invoice.paid_by(credit)
    if not paid:
        return
    for project_id, project in sorted(credit.projects.items()):
        own = sum((-item.unit_price * item.quantity for item in paid if item.resource_project_id == project_id), ZERO)
        if own != 0:
            yield _give_back(project, own)
    total = sum((-item.unit_price * item.quantity for item in paid), ZERO)
    yield _give_back(credit, max(total, credit.minimum(today)))


def _give_back(balance: Balance, amount: Decimal) -> Change:
    old = balance.value
    balance.value = stored(old + amount, CREDIT_PLACES)
    return Change(balance, old, balance.value)


def _consume(
    invoice: OpenInvoice, credit: CustomerCredit, today: date, rules: Rules
) -> tuple[tuple[Compensation, ...], Tail | None, tuple[Tail, ...]]:
    """Compensations, the organization's tail, and those of the invoice's projects."""
    compensations, tail = compensate(invoice.items, invoice.tax_percent, credit, today, rules)
    for compensation in compensations:
        if abs(compensation.amount) >= PRICE_LIMIT:
            raise CreditOverflow(f"{compensation.name} would be {-compensation.amount}, more than an item holds")
    in_scope = {item.project_id for item in invoice.items if credit.pays_for(item)}
    project_tails = (
        take_tail(project, _consumed_by(project, compensations), today)
        for project_id, project in sorted(credit.projects.items())
        if project_id in in_scope
    )
    return compensations, tail, tuple(found for found in project_tails if found is not None)


def _consumed_by(project: ProjectCredit, compensations: Iterable[Compensation]) -> Decimal:
    return sum((paid.amount for paid in compensations if paid.item.resource_project_id == project.project_id), ZERO)


def _touched(invoice: OpenInvoice, credit: CustomerCredit, rolled_back: Sequence[Change]) -> tuple[ProjectCredit, ...]:
    """The credits of the invoice's projects, and those that got something back, by project."""
    billed = {item.project_id for item in invoice.items}
    returned = {change.of for change in rolled_back}
    return tuple(
        project
        for project_id, project in sorted(credit.projects.items())
        if project_id in billed or project in returned
    )


def _consumed(
    credit: CustomerCredit, compensations: Sequence[Compensation], tails: Sequence[Tail]
) -> dict[Balance, Decimal]:
    """What an invoice has taken from each balance, tails included."""
    consumed: dict[Balance, Decimal] = {
        project: _consumed_by(project, compensations) for project in credit.projects.values()
    }
    consumed[credit] = sum((paid.amount for paid in compensations), ZERO)
    for tail in tails:
        consumed[tail.of] += tail.amount
    return consumed


def _spread(
    invoice: OpenInvoice, credit: CustomerCredit, today: date, rules: Rules, consumed: dict[Balance, Decimal]
) -> Iterator[Change]:
    """Linear credits expect something else of the next month; those of projects until they have ended."""
    ongoing = (
        project for project in credit.projects.values() if project.end_date is not None and project.end_date > today
    )
    for balance in (credit, *ongoing):
        if balance.logic != "linear" or balance.end_date is None:
            continue
        old = balance.expected
        spread = rules.spread(balance, consumed[balance], today, invoice.previous_month_pending)
        balance.expected = stored(spread, CREDIT_PLACES)
        if balance.expected != old:
            yield Change(balance, old, balance.expected)


def _keep_as_stored(credit: CustomerCredit, rules: Rules) -> None:
    """Round the balances as their columns do, so that the customer's next invoice starts from what is stored."""
    for balance in (credit, *credit.projects.values()):
        balance.value = stored(balance.value, CREDIT_PLACES)
        for amount in (balance.value, balance.expected):
            if abs(amount) >= rules.largest:
                raise CreditOverflow(f"a credit would become {amount}, more than its column holds")


def _movements(balance: Balance, change: Decimal, draws: Decimal, tail: Decimal) -> Iterator[Movement]:
    """A change of a balance by what it was for; in one piece where rounding has made the parts another sum."""
    parts = {COMPENSATION: -stored(draws, CREDIT_PLACES), MINIMAL_DRAW: -stored(tail, CREDIT_PLACES)}
    if sum(parts.values()) != change:
        parts = {COMPENSATION: change}
    for kind, amount in parts.items():
        if amount != 0:
            yield Movement(balance, kind, amount)
