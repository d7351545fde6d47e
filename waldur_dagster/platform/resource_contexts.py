"""What events say of a resource of the marketplace (spec core 1.6, marketplace 0.4, newer 0.5)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ColumnElement, FromClause, Subquery

from waldur_dagster.platform.contexts import (
    amount,
    customer_context,
    named_context,
    optional_context,
    project_context,
    python_text,
    python_time,
)
from waldur_dagster.platform.expressions import hex_of, json_object, merged
from waldur_dagster.platform.state_codes import ResourceState, shown
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.work import Work

resource, offering, plan = marketplace.resource, marketplace.offering, marketplace.plan
project, customer = structure.project, structure.customer


def with_surroundings(resources: FromClause, backend: Subquery) -> FromClause:
    """Resources with offering, project, customer, plan and what they stand for, if anything (see ``backends``)."""
    at_backend = (backend.c.content_type_id == resource.c.content_type_id) & (
        backend.c.object_id == resource.c.object_id
    )
    return (
        resources.join(offering, offering.c.id == resource.c.offering_id)
        .join(project, project.c.id == resource.c.project_id)
        .join(customer, customer.c.id == project.c.customer_id)
        .outerjoin(plan, plan.c.id == resource.c.plan_id)
        .outerjoin(backend, at_backend)
    )


def resource_context(work: Work, backend: Subquery, prefix: str = "resource") -> ColumnElement[Any]:
    """The keys of a resource, and those of its project, customer, offering and plan; of ``with_surroundings``."""
    own = {
        "uuid": hex_of(resource.c.uuid),
        "name": resource.c.name,
        "created": python_time(resource.c.created),
        "modified": python_time(resource.c.modified),
        "attributes": resource.c.attributes,
        "cost": amount(resource.c.cost),
        "limits": resource.c.limits,
        "backend_metadata": resource.c.backend_metadata,
        "get_state_display": shown(ResourceState, resource.c.state),
        "backend_uuid": python_text(hex_of(backend.c.uuid)),
        "backend_type": python_text(backend.c.type),
    }
    if has_newer_fields(work, resource.c.last_sync):
        own |= {name: resource.c[name] for name in ("backend_id", "effective_id", "slug")}
    return merged(
        json_object(**{f"{prefix}_{name}": value for name, value in own.items()}),
        project_context(project),
        customer_context(customer),
        named_context(offering, "offering"),
        optional_context(plan, "plan", missing=f"{prefix}_plan"),
    )


def has_newer_fields(work: Work, sign: Column[Any]) -> bool:
    """Whether contexts have what newer versions of Waldur have added to them."""
    return work.deployment.event_contexts == "site" and work.schema.has_column(sign)
