"""Credits in the database, and the invoices that they pay for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, exists, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.invoices.credit_columns import balance_columns, spills_over
from waldur_dagster.invoices.credits import CustomerCredit, Item, OpenInvoice, ProjectCredit
from waldur_dagster.invoices.money import item_price
from waldur_dagster.platform.expressions import hex_of
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import invoices, marketplace, structure
from waldur_dagster.work import Work


def load_credits(work: Work, customers: Select[Any], *, lock: bool) -> dict[int, CustomerCredit]:
    """The credits of ``customers`` (a SELECT of ids), by customer.

    ``lock`` holds them for writing until the transaction ends, the organizations' before the projects'.
    """
    credit, project_credit, project = invoices.customercredit, invoices.projectcredit, structure.project
    offering = invoices.customercredit_offerings
    concerned = credit.c.customer_id.in_(customers)
    credits = select(*balance_columns(work.schema, credit), credit.c.customer_id).where(concerned)
    found = work.connection.execute(credits.with_for_update(of=credit) if lock else credits).all()
    offerings: dict[int, set[int]] = defaultdict(set)
    of_credits = select(offering).join(credit, credit.c.id == offering.c.customercredit_id).where(concerned)
    for row in work.connection.execute(of_credits):
        offerings[row.customercredit_id].add(row.offering_id)
    projects: dict[int, dict[int, ProjectCredit]] = defaultdict(dict)
    of_projects = (
        select(
            project.c.customer_id,
            *balance_columns(work.schema, project_credit),
            project_credit.c.project_id,
            spills_over(work.schema).label("spills_over"),
        )
        .join(project, project.c.id == project_credit.c.project_id)
        .join(credit, credit.c.customer_id == project.c.customer_id)
        .where(concerned)
        .order_by(project_credit.c.id)
    )
    for row in work.connection.execute(of_projects.with_for_update(of=project_credit) if lock else of_projects):
        projects[row.customer_id][row.project_id] = ProjectCredit(*row[1:])
    return {
        row.customer_id: CustomerCredit(
            row.id,
            row.value,
            row.expected,
            row.applied,
            row.grace,
            row.logic,
            row.end_date,
            row.customer_id,
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
        items = [Item(*row[-len(fields(Item)) :]) for row in group if row.item_id is not None]
        yield OpenInvoice(
            invoice.id,
            invoice.customer_id,
            invoice.customer_name,
            invoice.tax_percent,
            [item for item in items if item.paid_by is None],
            [item for item in items if item.paid_by is not None],
            previous_month_pending=invoice.previous_month_pending,
        )


def _items(work: Work, chosen: Select[Any]) -> Select[Any]:
    """A row for each item with its invoice; the columns of ``Item`` come last. An invoice without items has one row."""
    invoice, item, resource, customer = invoices.invoice, invoices.invoiceitem, marketplace.resource, structure.customer
    previous, last_month = Month.of(work.as_of, work.zone).previous, invoice.alias("last_month")
    previous_month_pending = exists().where(
        last_month.c.customer_id == invoice.c.customer_id,
        last_month.c.year == previous.year,
        last_month.c.month == previous.month,
        last_month.c.id.in_(chosen),
    )
    discounts = _discounts(chosen)
    own_discount = and_(discounts.c.invoice_id == invoice.c.id, discounts.c.lowered == hex_of(item.c.uuid))
    return (
        select(
            invoice.c.id,
            invoice.c.customer_id,
            customer.c.name.label("customer_name"),
            invoice.c.tax_percent,
            previous_month_pending.label("previous_month_pending"),
            item.c.id.label("item_id"),
            item.c.uuid,
            item.c.name,
            item.c.unit_price,
            item.c.quantity,
            func.coalesce(discounts.c.price, 0).label("discount"),
            item.c.resource_id,
            resource.c.offering_id,
            item.c.project_id,
            resource.c.project_id.label("resource_project_id"),
            _says(item, "is_compensation").label("is_compensation"),
            _says(item, "is_discount").label("is_discount"),
            item.c.credit_id.label("paid_by"),
        )
        .select_from(
            invoice.join(customer, customer.c.id == invoice.c.customer_id)
            .outerjoin(item, item.c.invoice_id == invoice.c.id)
            .outerjoin(resource, resource.c.id == item.c.resource_id)
            .outerjoin(discounts, own_discount)
        )
        .where(invoice.c.id.in_(chosen))
        .order_by(customer.c.name, customer.c.id, invoice.c.year, invoice.c.month, invoice.c.id, item.c.id)
    )


def _discounts(chosen: Select[Any]) -> Subquery:
    """(invoice_id, lowered, price): what the discount rows of an invoice take off an item, by its uuid in hex."""
    item = invoices.invoiceitem.alias("discount_row")
    lowered = item.c.details.op("->>")("discount_of_item")
    return (
        select(item.c.invoice_id, lowered.label("lowered"), func.sum(item_price(item)).label("price"))
        .where(item.c.invoice_id.in_(chosen), _says(item, "is_discount"))
        .group_by(item.c.invoice_id, lowered)
        .subquery("discounts")
    )


def _says(item: Any, flag: str) -> ColumnElement[bool]:
    """Whether an item's details have the flag."""
    return func.coalesce(item.c.details.op("@>")(literal({flag: True}, JSONB)), False)
