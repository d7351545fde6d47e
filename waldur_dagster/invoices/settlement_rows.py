"""What settling credits has changed, on its way into the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Integer,
    Subquery,
    Table,
    Text,
    Uuid,
    case,
    delete,
    func,
    literal,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.invoices.compensation import NET, Rules
from waldur_dagster.invoices.credit_columns import expected_column, rules_of
from waldur_dagster.invoices.credit_events import NAME, events_of
from waldur_dagster.invoices.credits import Change, CustomerCredit, ProjectCredit, Settlement
from waldur_dagster.invoices.price_estimates import refresh_estimates_of
from waldur_dagster.invoices.totals import refresh_totals
from waldur_dagster.platform.contexts import NOTHING, customer_context, invoice_context, project_context
from waldur_dagster.platform.credit_ledger import book
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import hex_of, json_list, json_object, merged
from waldur_dagster.schema import invoices, marketplace, structure
from waldur_dagster.temporary import Spool
from waldur_dagster.work import Work


class SettlementWriter:
    """Takes the settlements of one customer after the other, and stores them all in one statement for each kind."""

    def __init__(self, work: Work):
        price, balance = invoices.invoiceitem.c.unit_price.type, invoices.customercredit.c.value.type
        balances = {"id": Integer, "value": balance, "expected": balance}
        self._work = work
        self._rules = rules_of(work.schema)
        self._settled = Spool(work, "settled", invoice_id=Integer)
        self._credits = Spool(work, "credit_balance", **balances)
        self._projects = Spool(work, "project_balance", **balances)
        self._withdrawn = Spool(work, "withdrawn_item", id=Integer)
        self._compensations = Spool(
            work,
            "compensation",
            uuid=Uuid,
            invoice_id=Integer,
            credit_id=Integer,
            item_id=Integer,
            name=Text,
            unit_price=price,
        )
        self._movements = Spool(
            work,
            "credit_movement",
            credit_id=Integer,
            project_credit_id=Integer,
            invoice_id=Integer,
            transaction_type=Text,
            amount=balance,
        )
        self._events = Spool(
            work,
            "credit_event",
            customer_id=Integer,
            project_id=Integer,
            invoice_id=Integer,
            of_item=Boolean,
            event_type=Text,
            beginning=Text,
            rest=Text,
            context=JSONB,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for spool in (
            self._settled,
            self._credits,
            self._projects,
            self._withdrawn,
            self._compensations,
            self._movements,
            self._events,
        ):
            spool.close()

    def add(self, credit: CustomerCredit, settlements: Sequence[Settlement]) -> None:
        """What settling all invoices of one customer has done."""
        if not settlements:
            return
        self._credits.add(id=credit.id, value=credit.value, expected=credit.expected)
        for project in _changed_projects(settlements):
            self._projects.add(id=project.id, value=project.value, expected=project.expected)
        for settlement in settlements:
            self._add(credit, settlement)

    def _add(self, credit: CustomerCredit, settlement: Settlement) -> None:
        invoice = settlement.invoice
        self._settled.add(invoice_id=invoice.id)
        if settlement.rolled_back:
            for item in invoice.paid_by(credit):
                self._withdrawn.add(id=item.id)
        for compensation in settlement.compensations:
            self._compensations.add(
                uuid=compensation.uuid,
                invoice_id=invoice.id,
                credit_id=credit.id,
                item_id=compensation.item.id,
                name=compensation.name,
                unit_price=-compensation.amount,
            )
        for movement in settlement.movements:
            of_project = isinstance(movement.of, ProjectCredit)
            self._movements.add(
                credit_id=None if of_project else movement.of.id,
                project_credit_id=movement.of.id if of_project else None,
                invoice_id=invoice.id,
                transaction_type=movement.kind,
                amount=movement.amount,
            )
        for told in events_of(settlement, self._rules):
            beginning, _, rest = ("", "", told.message) if told.of_item else told.message.partition(NAME)
            self._events.add(
                customer_id=credit.customer_id,
                project_id=told.project_id,
                invoice_id=invoice.id,
                of_item=told.of_item,
                event_type=told.event_type,
                beginning=beginning,
                rest=rest,
                context=told.context,
            )

    def write(self) -> None:
        """Store balances with their ledger, compensation items with the totals that they change, and events."""
        if not self._settled:
            return
        self._work.outcome.figures["credits applied"] += len(self._settled)
        _update_all(self._work, invoices.projectcredit, self._projects)
        _update_all(self._work, invoices.customercredit, self._credits)
        if self._movements:
            _book(self._work, self._movements.loaded())
        if self._withdrawn:
            item = invoices.invoiceitem
            self._work.execute(delete(item).where(item.c.id.in_(select(self._withdrawn.loaded().c.id))))
        if self._compensations:
            _insert_compensations(self._work, self._compensations.loaded(), self._rules)
        settled = select(self._settled.loaded().c.invoice_id)
        refresh_totals(self._work, settled)
        refresh_estimates_of(self._work, settled)
        if self._events:
            _log_settlements(self._work, self._events.loaded())


def _changed_projects(settlements: Sequence[Settlement]) -> list[ProjectCredit]:
    """Those whose value or expected consumption a settlement has changed, or might have."""
    changes: list[Change] = [change for settlement in settlements for change in settlement.expected]
    touched = [project for settlement in settlements for project in settlement.projects]
    return list(dict.fromkeys([*touched, *(change.of for change in changes if isinstance(change.of, ProjectCredit))]))


def _update_all(work: Work, target: Table, rows: Spool) -> None:
    if rows:
        new = rows.loaded()
        expected = expected_column(work.schema, target)
        values = {"value": new.c.value} | ({} if expected is None else {expected.name: new.c.expected})
        work.execute(update(target).values(**values, modified=work.as_of).where(target.c.id == new.c.id))


def _book(work: Work, given: Subquery) -> None:
    """Movements are of the invoice's month, and refer to the invoice."""
    invoice = invoices.invoice
    book(
        work,
        select(
            given,
            func.make_date(invoice.c.year, invoice.c.month, 1).label("billing_period"),
            literal(work.content_types("invoices", "invoice"), Integer).label("content_type_id"),
            given.c.invoice_id.label("object_id"),
        ).join(invoice, invoice.c.id == given.c.invoice_id),
    )


def _insert_compensations(work: Work, given: Subquery, rules: Rules) -> None:
    """Compensations are items of the invoice's own month, under the project that the resource is in (spec D6)."""
    item, resource, project, invoice = invoices.invoiceitem, marketplace.resource, structure.project, invoices.invoice
    paid = item.alias("paid")
    first = func.make_timestamptz(invoice.c.year, invoice.c.month, 1, 0, 0, 0, work.zone.key)
    last = func.timezone(
        work.zone.key, func.timezone(work.zone.key, first) + literal_column("interval '1 month'")
    ) - literal_column("interval '1 microsecond'")
    source = (
        select(
            given.c.uuid,
            given.c.invoice_id,
            given.c.credit_id,
            paid.c.resource_id,
            resource.c.project_id,
            project.c.name.label("project_name"),
            hex_of(project.c.uuid).label("project_uuid"),
            given.c.name,
            _details(paid, rules).label("details"),
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
            .join(paid, paid.c.id == given.c.item_id)
            .join(resource, resource.c.id == paid.c.resource_id)
            .join(project, project.c.id == resource.c.project_id)
        )
        .order_by(given.c.position)
    )
    work.execute(work.insert_from(item, source))


def _details(paid: Any, rules: Rules) -> ColumnElement[Any]:
    """Where credits are net of VAT a compensation says what its item says, and which item it is for."""
    if rules is not NET:
        return NOTHING
    return merged(paid.c.details, json_object(is_compensation=True, compensation_of_item=hex_of(paid.c.uuid)))


def _log_settlements(work: Work, given: Subquery) -> None:
    """Every settlement's events in the order of what happened, with the facts of what they are about."""
    customer, project, invoice = structure.customer, structure.project, invoices.invoice

    def feed(model: str, app: str, scope: ColumnElement[Any]) -> ColumnElement[Any]:
        return json_list(json_list(work.content_types(app, model), scope))

    of_customer = feed("customer", "structure", customer.c.id)
    source = (
        select(
            given.c.event_type,
            case(
                (given.c.of_item, given.c.rest),
                else_=func.concat(given.c.beginning, func.coalesce(project.c.name, customer.c.name), given.c.rest),
            ).label("message"),
            merged(
                case((given.c.of_item, invoice_context(invoice)), else_=NOTHING),
                case((project.c.id.is_(None), NOTHING), else_=project_context(project)),
                customer_context(customer),
                given.c.context,
            ).label("context"),
            case(
                (given.c.of_item, merged(feed("invoice", "invoices", invoice.c.id), of_customer)),
                (project.c.id.is_not(None), merged(of_customer, feed("project", "structure", project.c.id))),
                else_=of_customer,
            ).label("feeds"),
        )
        .select_from(
            given.join(customer, customer.c.id == given.c.customer_id)
            .join(invoice, invoice.c.id == given.c.invoice_id)
            .outerjoin(project, project.c.id == given.c.project_id)
        )
        .order_by(given.c.position)
    )
    log_events(work, source)
