"""What this month costs so far, by customer and by project (spec invoices 1.7)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Double,
    Select,
    Table,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
    update,
)

from waldur_dagster.invoices import rules
from waldur_dagster.invoices.held import ESTIMATE, tell_held
from waldur_dagster.invoices.money import item_price
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import billing, invoices, structure
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

invoice, item, estimate = invoices.invoice, invoices.invoiceitem, billing.priceestimate


def refresh_price_estimates(work: Work, month: Month, customers: Select[Any]) -> int:
    """Set the estimates of some customers and their projects to the sum of their items of the month.

    ``customers`` selects customer ids. Missing estimates are made; invoices count in any state. Newer versions leave
    removed projects without items as they are (spec newer_billing 1.9). Estimates that somebody else is writing are
    told and left as they are. Returns rows changed.
    """
    customer_type, project_type = (
        work.content_types("structure", "customer"),
        work.content_types("structure", "project"),
    )
    chosen = customers.cte("chosen")
    of_month = (
        select(invoice.c.customer_id, item.c.project_id, item_price(item).label("price"))
        .join(item, item.c.invoice_id == invoice.c.id)
        .where(invoice.c.year == month.year, invoice.c.month == month.month)
        .cte("of_month")
    )
    by_customer = (
        select(of_month.c.customer_id.label("id"), func.sum(of_month.c.price).label("total")).group_by("id").subquery()
    )
    by_project = (
        select(of_month.c.project_id.label("id"), func.sum(of_month.c.price).label("total")).group_by("id").subquery()
    )
    project = structure.project
    estimated: ColumnElement[bool] = true()
    if rules.has_one_billing_service(work.schema):
        estimated = or_(~project.c.is_removed, by_project.c.total.is_not(None))
    scopes = union_all(
        select(
            literal(customer_type).label("content_type_id"), chosen.c[0].label("object_id"), by_customer.c.total
        ).select_from(chosen.outerjoin(by_customer, by_customer.c.id == chosen.c[0])),
        select(literal(project_type), project.c.id, by_project.c.total)
        .select_from(
            project.join(chosen, chosen.c[0] == project.c.customer_id).outerjoin(
                by_project, by_project.c.id == project.c.id
            )
        )
        .where(estimated),
    ).subquery("scopes")
    total = func.coalesce(cast(scopes.c.total, Double), 0.0).label("total")
    new = temporary_table(work, "new_estimate", select(scopes.c.content_type_id, scopes.c.object_id, total))
    same = (estimate.c.content_type_id == new.c.content_type_id) & (estimate.c.object_id == new.c.object_id)
    differs = estimate.c.total.is_distinct_from(new.c.total)
    free = temporary_table(
        work,
        "free_estimate",
        select(estimate.c.id, new.c.total)
        .join(new, same)
        .where(differs)
        .order_by(estimate.c.id)
        .with_for_update(of=estimate, skip_locked=True),
    )
    changed = work.execute(update(estimate).values(total=free.c.total).where(estimate.c.id == free.c.id))
    _tell_held(work, new, same & differs, customer_type)
    absent = (
        select(func.gen_random_uuid().label("uuid"), new.c.content_type_id, new.c.object_id, new.c.total)
        .select_from(new.outerjoin(estimate, same))
        .where(estimate.c.id.is_(None))
    )
    return changed.rowcount + work.execute(work.insert_from(estimate, absent)).rowcount


def refresh_estimates_of(work: Work, which: Select[Any]) -> None:
    """In newer versions estimates follow what closed invoices, whose ids ``which`` selects, have got or lost.

    Customers whose invoice of the present month is still to be made are left out: making it refreshes theirs.
    """
    if not rules.has_one_billing_service(work.schema):
        return
    month, present, customer = Month.of(work.present, work.zone), invoice.alias("present"), structure.customer
    of_month = (present.c.customer_id == customer.c.id, present.c.year == month.year, present.c.month == month.month)
    concerned = select(customer.c.id).where(
        customer.c.id.in_(select(invoice.c.customer_id).where(invoice.c.id.in_(which))),
        or_(customer.c.archived, exists().where(*of_month)),
    )
    refresh_price_estimates(work, month, concerned)


def _tell_held(work: Work, new: Table, differs: ColumnElement[bool], customer_type: int) -> None:
    """Those that still differ could not be locked."""
    customer, project = structure.customer, structure.project
    is_customers = new.c.content_type_id == customer_type
    names = (
        select(customer.c.name)
        .select_from(new.join(estimate, differs))
        .outerjoin(project, (project.c.id == new.c.object_id) & ~is_customers)
        .join(customer, customer.c.id == case((is_customers, new.c.object_id), else_=project.c.customer_id))
    )
    tell_held(work, ESTIMATE, names)
