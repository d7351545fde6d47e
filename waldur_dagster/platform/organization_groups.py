"""Which groups an organization is in: one of 2024, any number of newer versions (spec newer_billing 3.2)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Subquery, func, select

from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.schema import structure


def in_group(schema: SiteSchema, customer: Any, group: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a customer (the table structure_customer or an alias of it) is in the group of that id."""
    membership = structure.customer_organization_groups
    if schema.has(membership.name):
        own = select(membership.c.id).where(
            membership.c.customer_id == customer.c.id, membership.c.organizationgroup_id == group
        )
        return own.correlate_except(membership).exists()
    return customer.c.organization_group_id == group


def groups_of_customers(schema: SiteSchema) -> Subquery:
    """All customers: customer_id, and groups (an array of the ids of their groups, in which NULL is none).

    To be joined where many rows of each customer are asked for: ``in_group`` would be looked up for each of them.
    """
    customer, membership = structure.customer.alias("grouped"), structure.customer_organization_groups
    if schema.has(membership.name):
        groups: ColumnElement[Any] = func.array_agg(membership.c.organizationgroup_id)
        source: FromClause = customer.outerjoin(membership, membership.c.customer_id == customer.c.id)
    else:
        groups, source = func.array_agg(customer.c.organization_group_id), customer
    grouped = select(customer.c.id.label("customer_id"), groups.label("groups")).select_from(source)
    return grouped.group_by(customer.c.id).subquery("groups_of_customer")
