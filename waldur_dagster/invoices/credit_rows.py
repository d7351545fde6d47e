"""Credits in the database: those that are not used up, and the invoices that they pay for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Select, and_, exists, select

from waldur_dagster.invoices.credits import CustomerCredit, Item, OpenInvoice, ProjectCredit
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import invoices, marketplace, structure
from waldur_dagster.work import Work


def load_credits(work: Work, customers: Select[Any], *, lock: bool) -> dict[int, CustomerCredit]:
    """The credits of ``customers`` (a SELECT of ids) that are not used up, by customer.

    ``lock`` holds them for writing until the transaction ends.
    """
    credit, project_credit, project = invoices.customercredit, invoices.projectcredit, structure.project
    offering = invoices.customercredit_offerings
    left = and_(credit.c.value != 0, credit.c.customer_id.in_(customers))
    credits = select(credit).where(left)
    found = work.connection.execute(credits.with_for_update(of=credit) if lock else credits).all()
    offerings: dict[int, set[int]] = defaultdict(set)
    of_credits = select(offering).join(credit, credit.c.id == offering.c.customercredit_id).where(left)
    for row in work.connection.execute(of_credits):
        offerings[row.customercredit_id].add(row.offering_id)
    projects: dict[int, dict[int, ProjectCredit]] = defaultdict(dict)
    of_projects = (
        select(project_credit, project.c.customer_id)
        .join(project, project.c.id == project_credit.c.project_id)
        .join(credit, credit.c.customer_id == project.c.customer_id)
        .where(left)
    )
    for row in work.connection.execute(of_projects.with_for_update(of=project_credit) if lock else of_projects):
        projects[row.customer_id][row.project_id] = ProjectCredit(
            row.id, row.project_id, row.value, row.use_organisation_credit
        )
    return {
        row.customer_id: CustomerCredit(
            row.id,
            row.customer_id,
            row.value,
            row.end_date,
            row.minimal_consumption,
            row.minimal_consumption_logic,
            frozenset(offerings[row.id]),
            projects[row.customer_id],
        )
        for row in found
    }


def stream_invoices(work: Work, chosen: Select[Any]) -> Iterator[OpenInvoice]:
    """The chosen invoices (a SELECT of ids) with their items, customers by name, their invoices oldest first.

    One after the other from the database, so that no more than one invoice's items are held at a time.
    """
    rows = work.connection.execute(_items(work, chosen), execution_options={"stream_results": True})
    for _, lines in groupby(rows, key=attrgetter("id")):
        group = list(lines)
        invoice = group[0]
        yield OpenInvoice(
            invoice.id,
            invoice.customer_id,
            invoice.customer_name,
            invoice.tax_percent,
            [Item(*row[-len(fields(Item)) :]) for row in group if row.item_id is not None],
            previous_month_pending=invoice.previous_month_pending,
        )


def _items(work: Work, chosen: Select[Any]) -> Select[Any]:
    """A row for each item with its invoice; the columns of ``Item`` come last.

    An invoice without items has one row. Compensations of an earlier run are no candidates.
    """
    invoice, item, resource, customer = invoices.invoice, invoices.invoiceitem, marketplace.resource, structure.customer
    previous, last_month = Month.of(work.as_of, work.zone).previous, invoice.alias("last_month")
    previous_month_pending = exists().where(
        last_month.c.customer_id == invoice.c.customer_id,
        last_month.c.year == previous.year,
        last_month.c.month == previous.month,
        last_month.c.id.in_(chosen),
    )
    return (
        select(
            invoice.c.id,
            invoice.c.customer_id,
            customer.c.name.label("customer_name"),
            invoice.c.tax_percent,
            previous_month_pending.label("previous_month_pending"),
            item.c.id.label("item_id"),
            item.c.name,
            item.c.unit_price,
            item.c.quantity,
            item.c.resource_id,
            resource.c.offering_id,
            item.c.project_id,
            resource.c.project_id.label("resource_project_id"),
        )
        .select_from(
            invoice.join(customer, customer.c.id == invoice.c.customer_id)
            .outerjoin(item, and_(item.c.invoice_id == invoice.c.id, item.c.credit_id.is_(None)))
            .outerjoin(resource, resource.c.id == item.c.resource_id)
        )
        .where(invoice.c.id.in_(chosen))
        .order_by(customer.c.name, customer.c.id, invoice.c.year, invoice.c.month, invoice.c.id, item.c.id)
    )
