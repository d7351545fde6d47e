"""What settling credits has changed, on its way into the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self

from sqlalchemy import Integer, Subquery, Table, Text, func, literal, literal_column, select, update
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.invoices.credits import CustomerCredit, Settlement
from waldur_dagster.invoices.totals import refresh_totals
from waldur_dagster.platform.contexts import customer_context
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import hex_of, json_list, merged
from waldur_dagster.platform.temporary import Spool
from waldur_dagster.schema import invoices, marketplace, structure
from waldur_dagster.work import Work


class SettlementWriter:
    """Takes the settlements of one customer after the other, and stores them all in one statement for each kind."""

    def __init__(self, work: Work):
        price, balance = invoices.invoiceitem.c.unit_price.type, invoices.customercredit.c.value.type
        self._work = work
        self._settled = Spool(work, "settled", invoice_id=Integer)
        self._credits = Spool(work, "credit_balance", id=Integer, value=balance, minimal_consumption=balance)
        self._projects = Spool(work, "project_balance", id=Integer, value=balance)
        self._compensations = Spool(
            work,
            "compensation",
            invoice_id=Integer,
            credit_id=Integer,
            resource_id=Integer,
            name=Text,
            unit_price=price,
        )
        self._events = Spool(
            work, "credit_event", customer_id=Integer, event_type=Text, beginning=Text, rest=Text, context=JSONB
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for spool in (self._settled, self._credits, self._projects, self._compensations, self._events):
            spool.close()

    def add(self, credit: CustomerCredit, settlements: Sequence[Settlement]) -> None:
        """What settling all invoices of one customer has done."""
        if not settlements:
            return
        self._credits.add(id=credit.id, value=credit.value, minimal_consumption=credit.minimal_consumption)
        for project in {project.id: project for settlement in settlements for project in settlement.projects}.values():
            self._projects.add(id=project.id, value=project.value)
        for settlement in settlements:
            self._settled.add(invoice_id=settlement.invoice.id)
            for compensation in settlement.compensations:
                self._compensations.add(
                    invoice_id=settlement.invoice.id,
                    credit_id=credit.id,
                    resource_id=compensation.item.resource_id,
                    name=compensation.name,
                    unit_price=-compensation.amount,
                )
            for event in _events(settlement):
                self._events.add(customer_id=credit.customer_id, **event)

    def write(self) -> None:
        """Store balances, compensation items with the totals that they change, and events."""
        if not self._settled:
            return
        self._work.outcome.figures["credits applied"] += len(self._settled)
        _update_all(self._work, invoices.customercredit, self._credits, ("value", "minimal_consumption"))
        _update_all(self._work, invoices.projectcredit, self._projects, ("value",))
        if self._compensations:
            _insert_compensations(self._work, self._compensations.loaded())
        refresh_totals(self._work, select(self._settled.loaded().c.invoice_id))
        if self._events:
            _log_settlements(self._work, self._events.loaded())


def _update_all(work: Work, target: Table, rows: Spool, names: tuple[str, ...]) -> None:
    if rows:
        new = rows.loaded()
        values = {name: new.c[name] for name in names}
        work.execute(update(target).values(**values, modified=work.as_of).where(target.c.id == new.c.id))


def _insert_compensations(work: Work, given: Subquery) -> None:
    """Compensations are items of the invoice's own month, under the project that the resource is in (spec D6)."""
    item, resource, project, invoice = invoices.invoiceitem, marketplace.resource, structure.project, invoices.invoice
    first = func.make_timestamptz(invoice.c.year, invoice.c.month, 1, 0, 0, 0, work.zone.key)
    last = func.timezone(
        work.zone.key, func.timezone(work.zone.key, first) + literal_column("interval '1 month'")
    ) - literal_column("interval '1 microsecond'")
    source = (
        select(
            func.gen_random_uuid().label("uuid"),
            given.c.invoice_id,
            given.c.credit_id,
            given.c.resource_id,
            resource.c.project_id,
            project.c.name.label("project_name"),
            hex_of(project.c.uuid).label("project_uuid"),
            given.c.name,
            literal_column("'{}'::jsonb").label("details"),
            given.c.unit_price,
            literal("quantity").label("unit"),
            literal(1).label("quantity"),
            literal("").label("measured_unit"),
            literal("").label("article_code"),
            first.label("start"),
            last.label("end"),
        )
        .select_from(
            given.join(invoice, invoice.c.id == given.c.invoice_id)
            .join(resource, resource.c.id == given.c.resource_id)
            .join(project, project.c.id == resource.c.project_id)
        )
        .order_by(given.c.position)
    )
    work.execute(work.insert_from(item, source))


def _log_settlements(work: Work, given: Subquery) -> None:
    """Every settlement's events in the order of what happened, with the customer's facts."""
    customer = structure.customer
    source = (
        select(
            given.c.event_type,
            func.concat(given.c.beginning, customer.c.name, given.c.rest).label("message"),
            merged(customer_context(customer), given.c.context).label("context"),
            json_list(json_list(work.content_types("structure", "customer"), customer.c.id)).label("feeds"),
        )
        .select_from(given.join(customer, customer.c.id == given.c.customer_id))
        .order_by(given.c.position)
    )
    log_events(work, source)


def _events(settlement: Settlement) -> Iterator[dict[str, Any]]:
    """Type, message around the customer's name, and context of each event (spec invoices 1.10)."""
    old, new = settlement.value_before, settlement.value_after
    if old != new:
        yield {
            "event_type": "update_of_credit_by_staff",
            "beginning": "",
            "rest": f" credit has been updated from {int(old)} to {int(new)}. ",
            "context": {"old_value": int(old), "new_value": int(new)},
        }
    if settlement.tail:
        consumption, minimum = str(settlement.tail), str(settlement.applied_minimum)
        yield {
            "event_type": "reduction_of_credit_due_to_minimal_consumption",
            "beginning": "Reduction of ",
            "rest": f" credit by {consumption} due to minimal consumption of {minimum}",
            "context": {"consumption": consumption, "minimal_consumption": minimum},
        }
    for compensation in settlement.compensations:
        consumption = str(-compensation.amount)
        yield {
            "event_type": "reduction_of_credit",
            "beginning": "Reduction of ",
            "rest": f" credit by {consumption} due to compensation of invoice item {compensation.name}.",
            "context": {"consumption": consumption, "invoice_item": compensation.name},
        }
