"""What the log tells of a settlement (spec invoices 1.10, newer_billing 2.8).

Waldur of October 2024 tells of the organization's credit only; newer versions tell of every balance, and name each
compensation item.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from waldur_dagster.invoices.compensation import NET, Rules
from waldur_dagster.invoices.credits import Balance, Compensation, ProjectCredit, Settlement, Tail

# Stands in messages for the name of the event's project, or of its customer where there is no project.
NAME = "{name}"


@dataclass(frozen=True)
class Told:
    """An event. ``of_item``: it is about an item of the invoice, whose log shows it too, and names nobody."""

    event_type: str
    message: str
    context: dict[str, Any]
    project_id: int | None = None
    of_item: bool = False


def events_of(settlement: Settlement, rules: Rules) -> Iterator[Told]:
    yield from (_newer if rules is NET else _older)(settlement)


def _older(settlement: Settlement) -> Iterator[Told]:
    old, new = int(settlement.value_before), int(settlement.value_after)
    if settlement.value_before != settlement.value_after:
        text = f"{{name}} credit has been updated from {old} to {new}. "
        yield Told("update_of_credit_by_staff", text, {"old_value": old, "new_value": new})
    if settlement.tail and settlement.tail.amount:
        consumption, minimum = str(settlement.tail.amount), str(settlement.tail.minimum)
        text = f"Reduction of {{name}} credit by {consumption} due to minimal consumption of {minimum}"
        yield Told(
            "reduction_of_credit_due_to_minimal_consumption",
            text,
            {"consumption": consumption, "minimal_consumption": minimum},
        )
    for compensation in settlement.compensations:
        consumption, text = _reduction(compensation)
        context = {"consumption": consumption, "invoice_item": compensation.name}
        yield Told("reduction_of_credit", text, context)


def _newer(settlement: Settlement) -> Iterator[Told]:
    for change in settlement.rolled_back:
        what, project = _kind(change.of)
        old, new = int(change.old), int(change.new)
        text = f"{what.capitalize()} credit for {{name}} has been rolled back from {old} to {new}."
        yield Told(f"roll_back_{what}_credit", text, {"old_value": old, "new_value": new}, project)
    if settlement.rolled_back:
        for item in settlement.invoice.paid_by(settlement.credit):
            yield _of_item("deleted", f"Invoice item {item.name} has been deleted.", item.uuid)
    if settlement.tail:
        yield from _tail(settlement, settlement.tail)
    for compensation in settlement.compensations:
        yield from _compensation(compensation)
    for tail in settlement.project_tails:
        yield from _tail(settlement, tail)
    for change in settlement.expected:
        what, project = _kind(change.of)
        consumption = str(change.new - change.old)
        why = "according to linear minimal consumption logic"
        text = f"Reduction of {{name}} expected consumption by {consumption} {why}."
        yield Told(f"reduction_of_{what}_expected_consumption", text, {"consumption": consumption}, project)


def _tail(settlement: Settlement, tail: Tail) -> Iterator[Told]:
    if tail.amount == 0:
        return
    what, project = _kind(tail.of)
    consumption, minimum = str(tail.amount), str(tail.minimum)
    context = {"consumption": consumption, "minimal_consumption": minimum}
    yield Told(
        f"reduction_of_{what}_credit_due_to_minimal_consumption",
        f"Reduction of {{name}} credit by {consumption} due to minimal consumption of {minimum}",
        context | _balances(settlement.value_after, tail.balance if project else None),
        project,
    )


def _compensation(compensation: Compensation) -> Iterator[Told]:
    consumption, text = _reduction(compensation)
    context = {"consumption": consumption, "invoice_item": compensation.name}
    of_project = compensation.project_balance if compensation.project else None
    balance = compensation.balance
    yield Told("reduction_of_customer_credit", text, context | _balances(balance))
    project = compensation.item.resource_project_id
    yield Told("reduction_of_project_credit", text, context | _balances(balance, of_project), project)
    yield _of_item("created", "Invoice item has been created.", compensation.uuid)


def _of_item(what: str, message: str, uuid: UUID) -> Told:
    return Told(f"invoice_item_{what}", message, {"invoice_item_uuid": uuid.hex}, of_item=True)


def _reduction(compensation: Compensation) -> tuple[str, str]:
    consumption = str(-compensation.amount)
    what = f"compensation of invoice item {compensation.name}"
    return consumption, f"Reduction of {{name}} credit by {consumption} due to {what}."


def _balances(of_customer: Decimal, of_project: Decimal | None = None) -> dict[str, int]:
    """What was left after the movement, in whole units."""
    own = {} if of_project is None else {"project_credit_balance": int(of_project)}
    return {"credit_balance": int(of_customer)} | own


def _kind(balance: Balance) -> tuple[str, int | None]:
    return ("project", balance.project_id) if isinstance(balance, ProjectCredit) else ("customer", None)
