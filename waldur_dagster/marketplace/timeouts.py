"""The job mark_resources_as_erred_after_timeout: orders that execute for too long are given up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, Text, literal, select, update

from waldur_dagster.marketplace.order_states import change_orders
from waldur_dagster.marketplace.resource_states import change_resources
from waldur_dagster.marketplace.states import OrderState, ResourceState
from waldur_dagster.platform.expressions import json_object, merged
from waldur_dagster.platform.plugin_resources import ERRED, existing
from waldur_dagster.schema import marketplace
from waldur_dagster.work import Work

TIMEOUT = timedelta(hours=2)
MESSAGE = "Execution has timed out."
resource, offering, order = marketplace.resource, marketplace.offering, marketplace.order


def give_up_stale_orders(work: Work) -> int:
    """Mark orders that have executed for more than two hours as erred, with their resource and what it stands for.

    Only types of offerings that the deployment calls interruptible. The resource goes straight to Erred, also when
    it was being created and has no back end. Nothing is stopped at the back end. An order that somebody else is
    writing, or whose resource is, is left to the next run. Returns the number of orders.
    """
    stale = work.connection.execute(
        select(order.c.id, resource.c.id.label("resource_id"), resource.c.content_type_id, resource.c.object_id)
        .join(resource, resource.c.id == order.c.resource_id)
        .join(offering, offering.c.id == order.c.offering_id)
        .where(
            order.c.state == OrderState.EXECUTING,
            order.c.modified < work.as_of - TIMEOUT,
            offering.c.type.in_(work.deployment.interruptible_offerings),
        )
        .order_by(resource.c.id, order.c.id)
        .with_for_update(of=[order, resource], skip_locked=True)
    ).all()
    if not stale:
        return 0
    erred_orders = select(
        order.c.id.label("order_id"),
        literal(int(OrderState.ERRED)).label("state"),
        literal(MESSAGE).label("error_message"),
    ).where(order.c.id.in_([row.id for row in stale]))
    change_orders(work, erred_orders.subquery("stale"), move_resources=False)
    state = json_object(state=literal("Erred", Text))
    erred_resources = select(
        resource.c.id.label("resource_id"),
        literal(int(ResourceState.ERRED)).label("state"),
        merged(resource.c.backend_metadata, state).label("backend_metadata"),
    ).where(resource.c.id.in_([row.resource_id for row in stale]))
    change_resources(work, erred_resources.subquery("erred"))
    _mark_backends(work, stale)
    return len(stale)


def _mark_backends(work: Work, stale: Sequence[Row[*tuple[Any, ...]]]) -> None:
    for found in existing(work):
        content_type = work.content_types.get(found.app_label, found.model)
        ids = [row.object_id for row in stale if content_type is not None and row.content_type_id == content_type]
        if ids:
            table = found.table
            work.connection.execute(
                select(table.c.id).where(table.c.id.in_(ids)).order_by(table.c.id).with_for_update()
            )
            work.execute(update(table).where(table.c.id.in_(ids)).values(state=ERRED, modified=work.as_of))
