"""The items of usage (spec invoices 1.6)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, case, func, literal, select

from waldur_dagster.invoices.items import (
    BILLED_TYPES,
    SLURM_PACKAGE,
    TENANT,
    WARNINGS_SHOWN,
    fits,
    item_details,
    item_rows,
    package_amount,
    provider,
    serviceprovider,
    tenant_amount,
)
from waldur_dagster.platform.expressions import text_from
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import invoices, marketplace, structure
from waldur_dagster.work import Work

invoice, period, priced = invoices.invoice, marketplace.resourceplanperiod, marketplace.plancomponent
resource, offering, component = marketplace.resource, marketplace.offering, marketplace.offeringcomponent
project = structure.project


def add_usage_items(work: Work, month: Month, due: FromClause) -> int:
    """An item for each usage in ``due`` that has a plan period with a price for the component; returns how many.

    ``due``: invoice_id, resource_id, component_id, plan_period_id, usage. Usage that is too large for an invoice is
    reported; the rest is billed.
    """
    used_plan, current_plan = marketplace.plan, marketplace.plan.alias("current_plan")
    amount = billed_amount(due.c.usage)
    rows = item_rows(
        invoice,
        name=text_from("{resource} / {component}", resource=resource.c.name, component=component.c.name),
        details=item_details(current_plan),
        unit_price=priced.c.price,
        unit=literal("quantity"),
        quantity=amount,
        start=func.greatest(func.coalesce(period.c.start, literal(month.start)), literal(month.start)),
        end=func.least(func.coalesce(period.c.end, literal(month.end)), literal(month.end)),
    )
    source = (
        due.join(invoice, invoice.c.id == due.c.invoice_id)
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
    too_large = select(resource.c.id, component.c.type, due.c.usage).select_from(source)
    warn_of_too_large(work, too_large.where(is_billed_by_usage(), ~fits(priced.c.price, amount)))
    billed = rows.select_from(source).where(is_billed_by_usage(), fits(priced.c.price, amount))
    statement = work.insert_from(invoices.invoiceitem, billed.order_by(due.c.invoice_id, due.c.resource_id))
    return work.execute(statement).rowcount


def warn_of_too_large(work: Work, found: Select[tuple[int, str, Any]]) -> None:
    """Report usages that no item can hold: ids of resources, component types and amounts."""
    chosen = found.limit(WARNINGS_SHOWN).subquery("too_large")
    named = select(resource.c.name, resource.c.uuid, *chosen.c[1:]).join(chosen, chosen.c[0] == resource.c.id)
    for name, uuid, component_type, used in work.connection.execute(named):
        problem = f"its usage of {component_type} is {used}, which is too large for an invoice; it is not billed"
        work.outcome.warn(f"resource {name} ({uuid.hex})", problem)


def is_billed_by_usage() -> ColumnElement[bool]:
    return and_(offering.c.type.in_(BILLED_TYPES), component.c.billing_type == "usage")


def billed_amount(used: ColumnElement[Any]) -> ColumnElement[Any]:
    """A reported usage in the unit that is billed."""
    return case(
        (offering.c.type == TENANT, tenant_amount(used)),
        (offering.c.type == SLURM_PACKAGE, package_amount(used)),
        else_=used,
    )
