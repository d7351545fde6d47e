"""The items of usage (spec invoices 1.6; newer_billing 1.8 and 1.9)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, Table, and_, case, func, literal, not_, or_, select

from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.invoices import rules
from waldur_dagster.invoices.components import billed_usage
from waldur_dagster.invoices.items import (
    WARNINGS_SHOWN,
    discount_usage,
    fits,
    item_details,
    item_rows,
    provider,
    serviceprovider,
)
from waldur_dagster.platform.contexts import NOTHING
from waldur_dagster.platform.expressions import hex_of, json_object, merged, text_from
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import invoices, marketplace, structure
from waldur_dagster.temporary import temporary_returned
from waldur_dagster.work import Work

invoice, period, priced = invoices.invoice, marketplace.resourceplanperiod, marketplace.plancomponent
resource, offering, component = marketplace.resource, marketplace.offering, marketplace.offeringcomponent
plan, project = marketplace.plan, structure.project


def add_usage_items(work: Work, month: Month, charged: FromClause) -> Table:
    """An item for each charge; returns the temporary table ``new_usage_item`` of their ids.

    ``charged``: invoice_id, resource_id, component_id, plan_period_id, usage, is_overage. What is too large for an
    invoice is reported; the rest is billed. ``plan`` is that of the time of usage.
    """
    schema = work.schema
    current_plan = marketplace.plan.alias("current_plan")
    amount, unit_price = billed_usage(schema, charged.c.usage), func.coalesce(priced.c.price, 0)
    start, end = _time_in(month)
    rows = item_rows(
        schema,
        invoice,
        name=_name(schema, charged),
        details=_details(schema, charged, current_plan),
        unit_price=unit_price,
        unit=literal("quantity"),
        quantity=amount,
        start=start,
        end=end,
    )
    source = (
        charged.join(invoice, invoice.c.id == charged.c.invoice_id)
        .join(resource, resource.c.id == charged.c.resource_id)
        .join(project, project.c.id == resource.c.project_id)
        .join(offering, offering.c.id == resource.c.offering_id)
        .join(provider, provider.c.id == offering.c.customer_id)
        .outerjoin(serviceprovider, serviceprovider.c.customer_id == provider.c.id)
        .join(component, component.c.id == charged.c.component_id)
        .join(period, period.c.id == charged.c.plan_period_id)
        .join(plan, plan.c.id == period.c.plan_id)
        .outerjoin(priced, and_(priced.c.plan_id == plan.c.id, priced.c.component_id == component.c.id))
        .outerjoin(current_plan, current_plan.c.id == resource.c.plan_id)
    )
    due = and_(is_sold(schema), not_(and_(charged.c.is_overage, charged.c.usage == 0)))
    too_large = select(resource.c.id, component.c.type, charged.c.usage).select_from(source)
    warn_of_too_large(work, too_large.where(due, ~fits(unit_price, amount)))
    billed = rows.select_from(source).where(due, fits(unit_price, amount))
    statement = work.insert_from(
        invoices.invoiceitem, billed.order_by(charged.c.invoice_id, charged.c.resource_id, component.c.id)
    )
    return temporary_returned(work, "new_usage_item", statement.returning(invoices.invoiceitem.c.id))


def is_sold(schema: SiteSchema) -> Any:
    """Whether the plan has a price for what was used; without one, newer versions bill it at 0."""
    return or_(priced.c.id.is_not(None), literal(rules.has_one_billing_service(schema)))


def warn_of_too_large(work: Work, found: Select[tuple[int, str, Any]]) -> None:
    """Report usages that no item can hold: ids of resources, component types and amounts."""
    chosen = found.limit(WARNINGS_SHOWN).subquery("too_large")
    named = select(resource.c.name, resource.c.uuid, *chosen.c[1:]).join(chosen, chosen.c[0] == resource.c.id)
    for name, uuid, component_type, used in work.connection.execute(named):
        problem = f"its usage of {component_type} is {used}, which is too large for an invoice; it is not billed"
        work.outcome.warn(f"resource {name} ({uuid.hex})", problem)


def overlaps(month: Month, period: Any = period) -> Any:
    """Whether the time of a plan has something in common with a month."""
    return and_(
        func.coalesce(period.c.start, literal(month.start)) <= month.end,
        func.coalesce(period.c.end, literal(month.end)) >= month.start,
    )


def _time_in(month: Month) -> tuple[Any, Any]:
    """The month as far as the plan's time goes; the whole of it for usage that was reported for another time."""
    start = func.greatest(func.coalesce(period.c.start, literal(month.start)), literal(month.start))
    end = func.least(func.coalesce(period.c.end, literal(month.end)), literal(month.end))
    outside = ~overlaps(month)
    return case((outside, literal(month.start)), else_=start), case((outside, literal(month.end)), else_=end)


def _name(schema: SiteSchema, charged: FromClause) -> Any:
    by_plan = rules.has_billing_modes(schema)
    template = "{resource} ({offering} / {plan}) / {component}" if by_plan else "{resource} / {component}"
    return text_from(
        template + "{overage}",
        resource=resource.c.name,
        offering=offering.c.name,
        plan=plan.c.name,
        component=component.c.name,
        overage=case((charged.c.is_overage, " (Overage)"), else_=""),
    )


def of_report(schema: SiteSchema, used: Any) -> list[ColumnElement[Any]]:
    """What the details of an item say of the report of usage, each part where the site has it; without price no volume.

    ``used`` is in the unit that is billed.
    """
    of_plan = [json_object(plan_period_uuid=hex_of(period.c.uuid))] if rules.has_billing_modes(schema) else []
    return [
        *of_plan,
        *(case((priced.c.id.is_not(None), part), else_=NOTHING) for part in discount_usage(schema, used)),
    ]


def _details(schema: SiteSchema, charged: FromClause, current_plan: Any) -> Any:
    shown_plan = plan if rules.has_billing_modes(schema) else current_plan
    overage = case((charged.c.is_overage, json_object(is_overage=True)), else_=NOTHING)
    return merged(item_details(shown_plan), *of_report(schema, billed_usage(schema, charged.c.usage)), overage)
