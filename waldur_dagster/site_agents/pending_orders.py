"""The job send-messages-about-pending-orders: agents are reminded of orders that wait for them (spec people)."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from waldur_dagster.platform.expressions import hex_of, json_object
from waldur_dagster.schema import marketplace
from waldur_dagster.site import Transactions
from waldur_dagster.site_agents.messages import Objects, tell_agents
from waldur_dagster.site_agents.recipients import has_declared_queues
from waldur_dagster.work import Work

PATIENCE = timedelta(hours=1)
PENDING_PROVIDER = 7
order = marketplace.order


def remind_of_pending_orders(transaction: Transactions) -> None:
    """Remind agents of orders that were placed more than an hour ago and wait for the provider."""
    tell_agents(transaction, _pending)


def _pending(work: Work) -> Objects:
    state = {"order_state": "pending-provider"} if has_declared_queues(work) else {}
    content = json_object(order_uuid=hex_of(order.c.uuid), **state)
    pending = select(order.c.id, order.c.offering_id, content.label("content"), order.c.created.label("rank")).where(
        order.c.state == PENDING_PROVIDER, order.c.created < work.as_of - PATIENCE
    )
    return Objects("order", pending)
