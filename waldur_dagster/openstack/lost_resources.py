"""Instances and volumes that no marketplace resource stands for (spec openstack, create-resources-for-lost-...)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Integer, Table, Text, and_, case, cast, exists, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.marketplace.events import log_resource_events
from waldur_dagster.marketplace.instance_facts import import_instances
from waldur_dagster.marketplace.plugin_coupling import copy_facts
from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.openstack.rows import content_type_of
from waldur_dagster.platform.event_names import RESOURCE_CHANGED
from waldur_dagster.platform.expressions import given_rows, text_from
from waldur_dagster.platform.lengths import fitted
from waldur_dagster.platform.plugin_resources import (
    CREATING,
    CREATION_SCHEDULED,
    DELETING,
    DELETION_SCHEDULED,
    OK,
    UPDATE_SCHEDULED,
    UPDATING,
)
from waldur_dagster.platform.plugin_rows import chosen_rows
from waldur_dagster.platform.slugs import next_slugs
from waldur_dagster.schema import marketplace, openstack
from waldur_dagster.work import Work

resource, offering, instance, volume = marketplace.resource, marketplace.offering, openstack.instance, openstack.volume
# What the state of an object means for its resource; anything else is erred.
STATES = {
    CREATION_SCHEDULED: ResourceState.CREATING,
    CREATING: ResourceState.CREATING,
    UPDATE_SCHEDULED: ResourceState.UPDATING,
    UPDATING: ResourceState.UPDATING,
    DELETION_SCHEDULED: ResourceState.TERMINATING,
    DELETING: ResourceState.TERMINATING,
    OK: ResourceState.OK,
}
EMPTY = cast(literal("{}"), JSONB)


def create_lost_resources(work: Work) -> None:
    """Give instances, then volumes, that no resource stands for a resource of their tenant's offering.

    Where a tenant has no such offering, or several, its objects are left alone. Statements: constant.
    """
    instances = _create(work, instance, "OpenStack.Instance")
    if instances:
        import_instances(work, instances)
    _create(work, volume, "OpenStack.Volume")


def _create(work: Work, table: Table, offering_type: str) -> list[int]:
    """The ids of the objects that got a resource."""
    lost = _lost(work, table, offering_type)
    if not lost:
        return []
    slugs = next_slugs(work, resource, [row.name for row in lost])
    rows = [{"id": row.id, "slug": slug, "position": n} for n, (row, slug) in enumerate(zip(lost, slugs, strict=True))]
    offerings = {row.id: row.offering_id for row in lost}
    given = given_rows(
        [row | {"offering_id": offerings[row["id"]]} for row in rows],
        id=Integer,
        slug=Text,
        position=Integer,
        offering_id=Integer,
    )
    tenant_type, content_type = content_type_of(work, openstack.tenant), content_type_of(work, table)
    parent = resource.alias("parent")
    source = (
        select(
            func.gen_random_uuid().label("uuid"),
            table.c.created,
            literal(work.as_of).label("modified"),
            fitted(work, resource.c.name, table.c.name).label("name"),
            table.c.project_id,
            func.coalesce(table.c.backend_id, "").label("backend_id"),
            case(STATES, value=table.c.state, else_=int(ResourceState.ERRED)).label("state"),
            EMPTY.label("limits"),
            EMPTY.label("attributes"),
            EMPTY.label("current_usages"),
            EMPTY.label("backend_metadata"),
            given.c.slug,
            literal(content_type, Integer).label("content_type_id"),
            table.c.id.label("object_id"),
            given.c.offering_id,
            parent.c.id.label("parent_id"),
        )
        .join_from(given, table, table.c.id == given.c.id)
        .outerjoin(parent, and_(parent.c.content_type_id == tenant_type, parent.c.object_id == table.c.tenant_id))
        .order_by(given.c.position)
    )
    made = work.execute(work.insert_from(resource, source).returning(resource.c.id, resource.c.state)).all()
    ids = [row.id for row in lost]
    copy_facts(work, chosen_rows(work, table, ids))
    _tell(work, made)
    return ids


def _lost(work: Work, table: Table, offering_type: str) -> Sequence[Any]:
    """Objects without a resource whose tenant has one offering of the type, by name and age."""
    scoped = (
        select(offering.c.object_id.label("tenant_id"), func.min(offering.c.id).label("offering_id"))
        .where(offering.c.content_type_id == content_type_of(work, openstack.tenant), offering.c.type == offering_type)
        .group_by(offering.c.object_id)
        .having(func.count() == 1)
        .subquery("scoped")
    )
    known = exists().where(
        resource.c.content_type_id == content_type_of(work, table), resource.c.object_id == table.c.id
    )
    return work.connection.execute(
        select(table.c.id, table.c.name, scoped.c.offering_id)
        .join_from(table, scoped, scoped.c.tenant_id == table.c.tenant_id)
        .where(~known)
        .order_by(table.c.name, table.c.created, table.c.id)
    ).all()


def _tell(work: Work, made: Sequence[Any]) -> None:
    rows = [{"resource_id": row.id} for row in made]
    chosen = select(given_rows(rows, resource_id=Integer)).subquery("made")
    message = text_from("Resource {name} has been made for what its cloud has already.", name=resource.c.name)
    log_resource_events(work, chosen, event_type=RESOURCE_CHANGED, message=message)
    requested = [{"resource_id": row.id} for row in made if row.state == ResourceState.CREATING]
    if requested:
        log_resource_events(
            work,
            select(given_rows(requested, resource_id=Integer)).subquery("requested"),
            event_type="marketplace_resource_create_requested",
            message=text_from("Resource {name} creation has been requested.", name=resource.c.name),
        )
