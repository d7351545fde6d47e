"""What a policy does at the moment when it fires."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sqlalchemy import case, literal, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.marketplace.orders import hand_over, insert_orders
from waldur_dagster.marketplace.states import OrderState, OrderType
from waldur_dagster.policies.classes import Action, Policy
from waldur_dagster.policies.events import log_policy_events
from waldur_dagster.policies.flags import FLAGS, STAYING, raise_flag, resources_of
from waldur_dagster.policies.notifications import notify_owners, notify_team
from waldur_dagster.schema import marketplace
from waldur_dagster.users.system_robot import system_robot
from waldur_dagster.work import Work

INSTANCE = "OpenStack.Instance"


def terminate_resources(work: Work, policy: Policy) -> None:
    """Order the termination of the policy's resources; Waldur's workers process the orders."""
    resource, offering = marketplace.resource, marketplace.offering
    concerned = (
        select(resource.c.id)
        .join(offering, offering.c.id == resource.c.offering_id)
        .where(resources_of([policy]), STAYING)
        .order_by(resource.c.id)
    )
    names = work.connection.execute(concerned.add_columns(resource.c.name, offering.c.name)).all()
    if not names:
        return
    robot = system_robot(work)
    forced = case((offering.c.type == INSTANCE, literal({"action": "force_destroy"}, JSONB)), else_=_NOTHING)
    orders = concerned.with_only_columns(
        resource.c.id.label("resource_id"),
        resource.c.offering_id,
        resource.c.project_id,
        literal(OrderType.TERMINATE.value).label("type"),
        literal(OrderState.EXECUTING.value).label("state"),
        forced.label("attributes"),
        literal(robot).label("created_by_id"),
        literal(robot).label("consumer_reviewed_by_id"),
    )
    hand_over(work, insert_orders(work, orders))
    log_policy_events(
        work,
        policy,
        [
            (Action.TERMINATE, f"A policy has fired: termination is ordered. Resource: {name} ({offering_name}).", {})
            for _, name, offering_name in names
        ],
    )


_NOTHING = literal_column("'{}'::jsonb", JSONB)

ACTIONS: dict[Action, Callable[[Work, Policy], None]] = {
    Action.NOTIFY_TEAM: notify_team,
    Action.NOTIFY_OWNERS: notify_owners,
    Action.TERMINATE: terminate_resources,
    **{action: partial(raise_flag, action=action) for action in FLAGS},
}
