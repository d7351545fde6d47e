"""Which groups an organization is in: one of 2024, any number of newer versions (spec newer_billing 3.2)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, select

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
