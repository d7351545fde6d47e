"""Prices that promotion campaigns change (spec invoices 1.5)."""

from __future__ import annotations

from sqlalchemy import (
    Interval,
    Numeric,
    Table,
    Uuid,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import distinct_on

from waldur_dagster.invoices.money import HUNDREDTH
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import marketplace, promotions, structure
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work


def discounted_prices(work: Work, month: Month, new_invoice: Table) -> Table:
    """A temporary table (resource_id, plan_component_id, unit_price, campaign_uuid) of the prices that change.

    They are fixed prices, for all that a plan has of them, and those of what is paid once, for one.

    The campaigns of a resource apply one after the other, each to the price that the ones before it left. A campaign
    lasts ``months`` calendar months from the one in which the resource joined it; with 0 months there is none left.
    The campaign that is named is the first, or a later one that made the price lower.
    """
    resource, project, joined = marketplace.resource, structure.project, promotions.discountedresource
    campaign, priced, component = promotions.campaign, marketplace.plancomponent, marketplace.offeringcomponent
    is_fixed = component.c.billing_type == "fixed"
    # The months count from the UTC month of joining, as the platform stores it.
    joined_month = func.date_trunc("month", func.timezone("UTC", joined.c.created))
    last_month = joined_month + (campaign.c.months - 1) * literal_column("interval '1 month'", Interval)
    applicable = (
        select(
            joined.c.resource_id,
            resource.c.plan_id,
            func.row_number().over(partition_by=joined.c.resource_id, order_by=joined.c.id).label("position"),
            campaign.c.uuid,
            campaign.c.discount_type,
            campaign.c.discount,
        )
        .select_from(
            joined.join(campaign, campaign.c.id == joined.c.campaign_id)
            .join(resource, resource.c.id == joined.c.resource_id)
            .join(project, project.c.id == resource.c.project_id)
            .join(new_invoice, new_invoice.c.customer_id == project.c.customer_id)
        )
        .where(last_month >= literal(month.first))
        .cte("applicable", nesting=False)
    )
    undiscounted = (
        select(
            applicable.c.resource_id,
            priced.c.id.label("plan_component_id"),
            literal(0).label("position"),
            cast(case((is_fixed, priced.c.price * priced.c.amount), else_=priced.c.price), Numeric).label("unit_price"),
            cast(null(), Uuid).label("campaign_uuid"),
        )
        .select_from(
            applicable.join(priced, priced.c.plan_id == applicable.c.plan_id).join(
                component, component.c.id == priced.c.component_id
            )
        )
        .where(applicable.c.position == 1, or_(is_fixed, component.c.billing_type.in_(("one", "few"))))
    )
    chain = undiscounted.cte("chain", recursive=True)
    reduced = case(
        (applicable.c.discount_type == "discount", chain.c.unit_price * (100 - applicable.c.discount) * HUNDREDTH),
        else_=cast(applicable.c.discount, Numeric),
    )
    named = case(
        (or_(chain.c.campaign_uuid.is_(None), reduced < chain.c.unit_price), applicable.c.uuid),
        else_=chain.c.campaign_uuid,
    )
    chain = chain.union_all(
        select(
            chain.c.resource_id,
            chain.c.plan_component_id,
            cast(applicable.c.position, chain.c.position.type),
            cast(reduced, Numeric),
            named,
        ).select_from(
            chain.join(
                applicable,
                and_(applicable.c.resource_id == chain.c.resource_id, applicable.c.position == chain.c.position + 1),
            )
        )
    )
    final = (
        select(chain.c.resource_id, chain.c.plan_component_id, chain.c.unit_price, chain.c.campaign_uuid)
        .ext(distinct_on(chain.c.resource_id, chain.c.plan_component_id))
        .where(chain.c.position > 0)
        .order_by(chain.c.resource_id, chain.c.plan_component_id, chain.c.position.desc())
    )
    return temporary_table(work, "discounted", final)
