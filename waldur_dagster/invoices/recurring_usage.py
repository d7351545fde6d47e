"""Usage that repeats itself: last month's recurring reports are reported and billed again (spec invoices 1.6)."""

from __future__ import annotations

from sqlalchemy import Date as DateType
from sqlalchemy import Table, and_, case, func, literal, or_, select
from sqlalchemy.dialects.postgresql import distinct_on

from waldur_dagster.invoices.items import (
    BILLED_TYPES,
    SLURM_PACKAGE,
    TENANT,
    TERMINATED,
    WARNINGS_SHOWN,
    fits,
    item_details,
    item_rows,
    package_amount,
    provider,
    serviceprovider,
    tenant_amount,
)
from waldur_dagster.invoices.month import Month
from waldur_dagster.platform.expressions import text_from
from waldur_dagster.platform.temporary import temporary_table
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.schema.invoices import invoiceitem
from waldur_dagster.work import Work

usage, period = marketplace.componentusage, marketplace.resourceplanperiod
resource, offering, component = marketplace.resource, marketplace.offering, marketplace.offeringcomponent
project, priced = structure.project, marketplace.plancomponent


def repeat_usage(work: Work, month: Month, new_invoice: Table) -> int:
    """Copy the recurring usages into this month and bill them; returns the number of items.

    A report of this month that is there already wins over a copy, and is billed with its own usage, since the invoice
    is new. Reports of plan periods that ended before the month are neither copied nor billed.
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
    return _bill(work, month, new_invoice, due)


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
            or_(period.c.end.is_(None), period.c.end >= month.start),
        )
        .order_by(*key, reported.desc(), usage.c.billing_period.desc(), usage.c.id)
    )
    return temporary_table(work, "due_usage", chosen)


def _bill(work: Work, month: Month, new_invoice: Table, due: Table) -> int:
    """An item for each usage that has a plan period with a price for the component.

    Usage that is too large for an invoice is reported; the rest is billed.
    """
    used_plan, current_plan = marketplace.plan, marketplace.plan.alias("current_plan")
    amount = case(
        (offering.c.type == TENANT, tenant_amount(due.c.usage)),
        (offering.c.type == SLURM_PACKAGE, package_amount(due.c.usage)),
        else_=due.c.usage,
    )
    rows = item_rows(
        new_invoice,
        name=text_from("{resource} / {component}", resource=resource.c.name, component=component.c.name),
        details=item_details(current_plan),
        unit_price=priced.c.price,
        unit=literal("quantity"),
        quantity=amount,
        start=func.greatest(func.coalesce(period.c.start, literal(month.start)), literal(month.start)),
        end=func.least(func.coalesce(period.c.end, literal(month.end)), literal(month.end)),
    )
    source = (
        due.join(new_invoice, new_invoice.c.id == due.c.invoice_id)
        .join(resource, resource.c.id == due.c.resource_id)
        .join(project, project.c.id == resource.c.project_id)
        .join(offering, offering.c.id == resource.c.offering_id)
        .join(provider, provider.c.id == offering.c.customer_id)
        .outerjoin(serviceprovider, serviceprovider.c.customer_id == provider.c.id)
        .join(component, component.c.id == due.c.component_id)
        .join(period, period.c.id == due.c.plan_period_id)
        .join(used_plan, used_plan.c.id == period.c.plan_id)
        .join(priced, and_(priced.c.plan_id == used_plan.c.id, priced.c.component_id == component.c.id))
        .outerjoin(current_plan, current_plan.c.id == resource.c.plan_id)
    )
    metered = and_(offering.c.type.in_(BILLED_TYPES), component.c.billing_type == "usage")
    facts = (resource.c.name, resource.c.uuid, component.c.type, due.c.usage)
    too_large = select(*facts).select_from(source).where(metered, ~fits(priced.c.price, amount))
    for name, uuid, component_type, used in work.connection.execute(too_large.limit(WARNINGS_SHOWN)):
        problem = f"its usage of {component_type} is {used}, which is too large for an invoice; it is not billed"
        work.outcome.warn(f"resource {name} ({uuid.hex})", problem)
    billed = rows.select_from(source).where(metered, fits(priced.c.price, amount))
    return work.execute(work.insert_from(invoiceitem, billed.order_by(due.c.invoice_id, due.c.resource_id))).rowcount
