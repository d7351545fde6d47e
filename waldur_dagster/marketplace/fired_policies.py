"""What policies that have fired want of resources (spec newer_billing 3.5)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Table, Text, and_, exists, false, func, literal, or_
from sqlalchemy.dialects.postgresql import ARRAY

from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.schema import marketplace, policy, structure

resource, project = marketplace.resource, structure.project


def has_customer_usage(schema: SiteSchema) -> bool:
    """Whether there are policies on the usage of a customer."""
    return schema.has(policy.customercomponentusagepolicy.name) and schema.has(policy.customerusagepolicycomponent.name)


def has_action(table: Any, actions: Collection[str]) -> ColumnElement[bool]:
    """Whether a policy has one of the actions."""
    names = literal(sorted(actions), ARRAY(Text))
    return func.string_to_array(table.c.actions, ",").op("&&")(names)


def wanted(schema: SiteSchema, action: str) -> ColumnElement[bool]:
    """Whether a fired policy of the resource, of its project or of the project's customer has the action."""

    def fired(table: Table) -> ColumnElement[bool]:
        return and_(table.c.has_fired, has_action(table, [action]))

    def of_customer(table: Table) -> ColumnElement[bool]:
        scope = table.c.scope_id
        return exists().where(project.c.id == resource.c.project_id, scope == project.c.customer_id, fired(table))

    own = policy.projectestimatedcostpolicy
    only = schema.own(own, "resource_id", resource.c.id)
    narrowed = or_(only.is_(None), only == resource.c.id)
    return or_(
        exists().where(own.c.scope_id == resource.c.project_id, narrowed, fired(own)),
        of_customer(policy.customerestimatedcostpolicy),
        of_customer(policy.customercomponentusagepolicy) if has_customer_usage(schema) else false(),
    )
