"""Usage that repeats itself: last month's recurring reports are reported and billed again (spec invoices 1.6).

Newer versions have policies instead: ``carried_usage``.
"""

from __future__ import annotations

from sqlalchemy import Date as DateType
from sqlalchemy import Table, func, literal, or_, select
from sqlalchemy.dialects.postgresql import distinct_on

from waldur_dagster.invoices.charged_usage import charged_usage
from waldur_dagster.invoices.components import TERMINATED
from waldur_dagster.invoices.usage_items import add_usage_items
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

usage, period = marketplace.componentusage, marketplace.resourceplanperiod
resource, project = marketplace.resource, structure.project


def repeat_usage(work: Work, month: Month, new_invoice: Table) -> Table:
    """Copy the recurring usages into this month and bill them; returns the table of new items.

    A report of this month that is there already wins over a copy, and is billed with its own usage, since the invoice
    is new. Reports of plan periods that ended before the month, or at its first instant, are neither copied nor billed.
    """
    due = _due_usages(work, month, new_invoice)
    copies = select(
        func.gen_random_uuid().label("uuid"),
        literal(work.as_of).label("created"),
        literal(work.as_of).label("modified"),
        due.c.resource_id,
        due.c.component_id,
        due.c.plan_period_id,
        due.c.usage,
        literal(work.as_of).label("date"),
        literal(month.first, DateType).label("billing_period"),
        literal(True).label("recurring"),
        due.c.description,
        literal("").label("backend_id"),
        due.c.modified_by_id,
    ).where(~due.c.reported)
    work.execute(work.insert_from(usage, copies.order_by(due.c.resource_id, due.c.component_id)))
    return add_usage_items(work, month, charged_usage(work, month, due))


def _due_usages(work: Work, month: Month, new_invoice: Table) -> Table:
    """One usage for each resource, component and plan period: that of this month, else the newest recurring one."""
    reported = usage.c.billing_period == month.first
    recurring = select(
        usage.c.resource_id,
        usage.c.component_id,
        usage.c.plan_period_id,
        usage.c.usage,
        usage.c.description,
        usage.c.modified_by_id,
        reported.label("reported"),
        new_invoice.c.id.label("invoice_id"),
    )
    key = (usage.c.resource_id, usage.c.component_id, usage.c.plan_period_id)
    source = (
        usage.join(resource, resource.c.id == usage.c.resource_id)
        .join(project, project.c.id == resource.c.project_id)
        .join(new_invoice, new_invoice.c.customer_id == project.c.customer_id)
        .outerjoin(period, period.c.id == usage.c.plan_period_id)
    )
    copied = usage.alias("copied")
    repeats = (
        select(copied.c.id)
        .where(
            copied.c.resource_id == usage.c.resource_id,
            copied.c.component_id == usage.c.component_id,
            copied.c.plan_period_id.is_not_distinct_from(usage.c.plan_period_id),
            copied.c.recurring,
            copied.c.billing_period >= month.previous.first,
        )
        .exists()
    )
    chosen = (
        recurring.select_from(source)
        .ext(distinct_on(*key))
        .where(
            usage.c.billing_period >= month.previous.first,
            or_(usage.c.recurring, reported),
            repeats,
            resource.c.state != TERMINATED,
            or_(period.c.end.is_(None), period.c.end > month.start),
        )
        .order_by(*key, reported.desc(), usage.c.billing_period.desc(), usage.c.id)
    )
    return temporary_table(work, "due_usage", chosen)
