"""What a policy does at the moment when it fires."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, case, func, literal, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.marketplace.order_columns import placed_for
from waldur_dagster.marketplace.orders import hand_over, insert_orders
from waldur_dagster.marketplace.states import OrderState, OrderType
from waldur_dagster.policies import attributed_flags, plain_flags
from waldur_dagster.policies.classes import Action, Policy
from waldur_dagster.policies.events import PolicyEvent, log_policy_events
from waldur_dagster.policies.flags import FLAGS, STAYING, resources_of
from waldur_dagster.policies.notifications import notify_external, notify_owners, notify_team, scope_feeds
from waldur_dagster.policies.rules import has_notes, watches_credit
from waldur_dagster.schema import marketplace
from waldur_dagster.users.system_robot import system_robot
from waldur_dagster.work import Work

INSTANCE = "OpenStack.Instance"
_NOTHING = literal_column("'{}'::jsonb", JSONB)
resource, offering, order = marketplace.resource, marketplace.offering, marketplace.order


def terminate_resources(work: Work, policy: Policy) -> None:
    """Order the termination of the policy's resources; Waldur's workers process the orders."""
    concerned = (
        select(resource.c.id)
        .join(offering, offering.c.id == resource.c.offering_id)
        .where(resources_of([policy], Action.TERMINATE), STAYING)
        .order_by(resource.c.id)
    )
    names = work.connection.execute(concerned.add_columns(resource.c.name, offering.c.name)).all()
    if not names:
        return
    robot = system_robot(work)
    author = placed_for(work)
    automatically = work.schema.fitting(order, {"placed_automatically": author.is_not(None)})
    orders = concerned.with_only_columns(
        resource.c.id.label("resource_id"),
        resource.c.offering_id,
        resource.c.project_id,
        literal(OrderType.TERMINATE.value).label("type"),
        literal(OrderState.EXECUTING.value).label("state"),
        _attributes(work.schema).label("attributes"),
        func.coalesce(author, robot).label("created_by_id"),
        literal(robot).label("consumer_reviewed_by_id"),
        *(value.label(name) for name, value in automatically.items()),
    )
    made = insert_orders(work, orders)
    hand_over(work, made)
    feeds = scope_feeds(work, policy)
    of_resources = work.content_types("marketplace", "resource")
    log_policy_events(
        work,
        policy,
        [
            PolicyEvent(
                Action.TERMINATE,
                f"A policy has fired: termination is ordered. Resource: {name} ({offering_name}).",
                feeds=[(of_resources, id), *feeds] if feeds else (),
            )
            for id, name, offering_name in names
        ],
    )


def _attributes(schema: SiteSchema) -> ColumnElement[Any]:
    """Servers used to be destroyed by force; newer versions leave that to who processes the order."""
    if watches_credit(schema):
        return _NOTHING
    return case((offering.c.type == INSTANCE, literal({"action": "force_destroy"}, JSONB)), else_=_NOTHING)


def _raise(work: Work, policy: Policy, action: Action) -> None:
    if has_notes(work.schema, policy.kind):
        attributed_flags.raise_flags(work, [policy], action)
    else:
        plain_flags.raise_flag(work, policy, action)


ACTIONS: dict[Action, Callable[[Work, Policy], None]] = {
    Action.NOTIFY_TEAM: notify_team,
    Action.NOTIFY_OWNERS: notify_owners,
    Action.NOTIFY_EXTERNAL: notify_external,
    Action.TERMINATE: terminate_resources,
    **{action: partial(_raise, action=action) for action in FLAGS},
}
