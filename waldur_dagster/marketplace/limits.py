"""What limits of a resource cost, and the quotas that keep them (spec remote 1.4 and 6)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Table, Text, case, column, func, literal, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.selectable import TableValuedAlias

from waldur_dagster.platform.expressions import json_number
from waldur_dagster.schema import marketplace
from waldur_dagster.work import Work

LIMIT = "limit"
QUOTA_BOUND = 10**18
component, quota = marketplace.offeringcomponent, marketplace.componentquota
plan, price = marketplace.plan, marketplace.plancomponent
EMPTY = literal_column("'{}'::jsonb", JSONB)


def each_limit(limits: ColumnElement[Any], name: str = "limits_of") -> TableValuedAlias:
    """Rows (type, value jsonb) of a column with limits; none when it holds no JSON object."""
    known = case((func.jsonb_typeof(limits) == "object", limits), else_=EMPTY)
    return func.jsonb_each(known).table_valued(column("type", Text), column("value", JSONB)).render_derived(name=name)


def estimated_cost(plan_id: ColumnElement[Any], limits: ColumnElement[Any]) -> ColumnElement[Any]:
    """The price of the plan, and of the limits by the prices of its components that are sold by limit."""
    given = each_limit(limits, "limits_priced")
    priced = (
        select(func.coalesce(func.sum(price.c.price * json_number(given.c.value)), 0))
        .select_from(
            price.join(component, component.c.id == price.c.component_id).join(given, given.c.type == component.c.type)
        )
        .where(price.c.plan_id == plan.c.id, component.c.billing_type == LIMIT)
        .correlate(plan)
        .scalar_subquery()
    )
    return select(plan.c.unit_price + priced).where(plan.c.id == plan_id).scalar_subquery()


def keep_limits(work: Work, changed: Table) -> None:
    """Write the limits of changed resources (resource_id, new_limits) to their component quotas.

    One that a quota cannot hold leaves it as it was; what bills the change tells of it.
    """
    resource = marketplace.resource
    given = each_limit(changed.c.new_limits)
    rows = (
        select(
            literal(work.as_of).label("created"),
            literal(work.as_of).label("modified"),
            changed.c.resource_id,
            component.c.id.label("component_id"),
            json_number(given.c.value).label("limit"),
            literal(0).label("usage"),
        )
        .select_from(
            changed.join(resource, resource.c.id == changed.c.resource_id)
            .join(given, literal(value=True))
            .join(component, (component.c.offering_id == resource.c.offering_id) & (component.c.type == given.c.type))
        )
        .where(component.c.billing_type == LIMIT, func.abs(json_number(given.c.value)) < QUOTA_BOUND)
    )
    statement = work.insert_from(quota, rows)
    work.execute(
        statement.on_conflict_do_update(
            index_elements=[quota.c.resource_id, quota.c.component_id],
            set_={"limit": statement.excluded.limit, "modified": work.as_of},
            where=quota.c.limit.is_distinct_from(statement.excluded.limit),
        )
    )
