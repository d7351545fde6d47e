"""Credits in the database: loading them for all customers at once, and writing what settling them has changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Integer, Select, Table, Text, column, func, literal, literal_column, select, table, update
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.invoices.credits import CustomerCredit, Item, OpenInvoice, ProjectCredit, Settlement
from waldur_dagster.invoices.month import Month
from waldur_dagster.platform.contexts import customer_context
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import given_rows, hex_of, json_list, merged
from waldur_dagster.schema import invoices, marketplace, structure
from waldur_dagster.work import Work

# The temporary table of the invoices that are being closed (closing.py makes it).
closing = table("closing", column("id"), column("customer_id"), column("year"), column("month"))


@dataclass
class CreditCustomer:
    """A customer with credit, and its invoices that are being closed, oldest first."""

    name: str
    credit: CustomerCredit
    invoices: list[OpenInvoice] = field(default_factory=list)


def load_credit_customers(work: Work) -> Iterator[CreditCustomer]:
    """Customers whose credit is not used up and that have invoices to close; their credits are locked."""
    credits = load_credits(work, select(closing.c.customer_id), lock=True)
    items = load_items(work, select(closing.c.id).where(closing.c.customer_id.in_(list(credits))))
    invoice = invoices.invoice
    previous = Month.of(work.as_of, work.zone).previous
    found = work.connection.execute(
        select(
            invoice.c.id, invoice.c.uuid, invoice.c.customer_id, invoice.c.year, invoice.c.month, invoice.c.tax_percent
        )
        .join(closing, closing.c.id == invoice.c.id)
        .where(invoice.c.customer_id.in_(list(credits)))
        .order_by(invoice.c.year, invoice.c.month, invoice.c.id)
    ).all()
    pending_last_month = {row.customer_id for row in found if (row.year, row.month) == (previous.year, previous.month)}
    for row in found:
        credits[row.customer_id].invoices.append(
            OpenInvoice(
                row.id,
                row.uuid,
                row.customer_id,
                row.tax_percent,
                items[row.id],
                previous_month_pending=row.customer_id in pending_last_month,
            )
        )
    yield from credits.values()


def load_credits(work: Work, customers: Select[Any], *, lock: bool) -> dict[int, CreditCustomer]:
    """The credits of ``customers`` (a SELECT of ids) that are not used up, by customer, in the order of their names.

    ``lock`` holds them for writing until the transaction ends.
    """
    credit, customer = invoices.customercredit, structure.customer
    offering, project_credit, project = invoices.customercredit_offerings, invoices.projectcredit, structure.project
    credits = (
        select(credit, customer.c.name)
        .join(customer, customer.c.id == credit.c.customer_id)
        .where(credit.c.value != 0, credit.c.customer_id.in_(customers))
        .order_by(customer.c.name, customer.c.id)
    )
    found = work.connection.execute(credits.with_for_update(of=credit) if lock else credits).all()
    offerings: dict[int, set[int]] = defaultdict(set)
    for row in work.connection.execute(
        select(offering).where(offering.c.customercredit_id.in_([row.id for row in found]))
    ):
        offerings[row.customercredit_id].add(row.offering_id)
    projects: dict[int, dict[int, ProjectCredit]] = defaultdict(dict)
    of_projects = (
        select(project_credit, project.c.customer_id)
        .join(project, project.c.id == project_credit.c.project_id)
        .where(project.c.customer_id.in_([row.customer_id for row in found]))
    )
    for row in work.connection.execute(of_projects.with_for_update(of=project_credit) if lock else of_projects):
        projects[row.customer_id][row.project_id] = ProjectCredit(
            row.id, row.project_id, row.value, row.use_organisation_credit
        )
    return {
        row.customer_id: CreditCustomer(
            row.name,
            CustomerCredit(
                row.id,
                row.customer_id,
                row.value,
                row.end_date,
                row.minimal_consumption,
                row.minimal_consumption_logic,
                frozenset(offerings[row.id]),
                projects[row.customer_id],
            ),
        )
        for row in found
    }


def load_items(work: Work, chosen: Select[Any]) -> dict[int, list[Item]]:
    """Items of the chosen invoices (a SELECT of ids) by invoice; compensations of an earlier run are no candidates."""
    item, resource = invoices.invoiceitem, marketplace.resource
    rows = work.connection.execute(
        select(
            item.c.invoice_id,
            item.c.id,
            item.c.name,
            item.c.unit_price,
            item.c.quantity,
            item.c.resource_id,
            resource.c.offering_id,
            item.c.project_id,
            resource.c.project_id.label("resource_project_id"),
        )
        .outerjoin(resource, resource.c.id == item.c.resource_id)
        .where(item.c.invoice_id.in_(chosen), item.c.credit_id.is_(None))
        .order_by(item.c.invoice_id, item.c.id)
    )
    items: dict[int, list[Item]] = defaultdict(list)
    for invoice_id, *facts in rows:
        items[invoice_id].append(Item(*facts))
    return items


def write_settlements(work: Work, settlements: Sequence[Settlement]) -> None:
    """Store balances, compensation items and events of all settlements, one statement for each kind."""
    if not settlements:
        return
    _write_balances(work, settlements)
    _insert_compensations(work, settlements)
    work.outcome.figures["credits applied"] += len(settlements)
    _log_settlements(work, settlements)


def _write_balances(work: Work, settlements: Sequence[Settlement]) -> None:
    credits = {s.credit.id: s.credit for s in settlements}
    projects = {project.id: project for s in settlements for project in s.projects}
    fields = ("value", "minimal_consumption")
    rows = [{"id": credit.id} | {name: getattr(credit, name) for name in fields} for credit in credits.values()]
    _update_many(work, invoices.customercredit, rows, fields)
    rows = [{"id": project.id, "value": project.value} for project in projects.values()]
    _update_many(work, invoices.projectcredit, rows, ("value",))


def _update_many(work: Work, target: Table, rows: list[dict[str, Any]], names: tuple[str, ...]) -> None:
    if not rows:
        return
    new = given_rows(rows, id=Integer, **{name: target.c[name].type for name in names})
    values = {name: new.c[name] for name in names}
    work.execute(update(target).values(**values, modified=work.as_of).where(target.c.id == new.c.id))


def _insert_compensations(work: Work, settlements: Sequence[Settlement]) -> None:
    """Compensations are items of the invoice's own month, under the project that the resource is in (spec D6)."""
    item, resource, project, invoice = invoices.invoiceitem, marketplace.resource, structure.project, invoices.invoice
    rows = [
        {
            "position": position,
            "invoice_id": settlement.invoice.id,
            "credit_id": settlement.credit.id,
            "resource_id": compensation.item.resource_id,
            "name": compensation.name,
            "unit_price": -compensation.amount,
        }
        for position, (settlement, compensation) in enumerate((s, c) for s in settlements for c in s.compensations)
    ]
    if not rows:
        return
    given = given_rows(
        rows,
        position=Integer,
        invoice_id=Integer,
        credit_id=Integer,
        resource_id=Integer,
        name=Text,
        unit_price=item.c.unit_price.type,
    )
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


def _log_settlements(work: Work, settlements: Sequence[Settlement]) -> None:
    """Every settlement's events in the order of what happened, with the customer's facts."""
    rows = [
        {"position": position, "customer_id": settlement.invoice.customer_id, **facts}
        for position, (settlement, facts) in enumerate((s, facts) for s in settlements for facts in _events(s))
    ]
    if not rows:
        return
    customer = structure.customer
    given = given_rows(
        rows, position=Integer, customer_id=Integer, event_type=Text, beginning=Text, rest=Text, context=JSONB
    )
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
