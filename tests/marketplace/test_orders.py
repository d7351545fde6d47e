"""Orders with their events, as every job and policy writes them."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import literal, select

from tests.scene import Scene
from waldur_dagster.marketplace.events import Actor, log_order_events, log_resource_events
from waldur_dagster.marketplace.orders import hand_over, insert_orders
from waldur_dagster.marketplace.states import OrderState, OrderType, ResourceState
from waldur_dagster.outbox.migrate import migrate
from waldur_dagster.outbox.tables import message
from waldur_dagster.platform.expressions import text_from
from waldur_dagster.schema import core, logging, marketplace, quotas
from waldur_dagster.users.system_robot import system_robot

NOON = datetime(2025, 3, 10, 12, 0, 0, 250000, tzinfo=UTC)
ENTRY = "terminate_expired_resources"


def test_an_order_of_the_robot_is_counted_told_and_handed_over(scene: Scene) -> None:
    migrate(scene.engine)
    customer = scene.customer("Acme")
    offering = scene.offering(customer)
    found = scene.resource(scene.project(customer, "Alpha"), offering, scene.plan(offering), "vm", created=NOON)
    resource = marketplace.resource
    with scene.site() as site, site.work(ENTRY, NOON) as work:
        robot = system_robot(work)
        assert system_robot(work) == robot
        source = select(
            resource.c.offering_id,
            resource.c.project_id,
            resource.c.id.label("resource_id"),
            literal(OrderType.TERMINATE.value).label("type"),
            literal(OrderState.EXECUTING.value).label("state"),
            literal(robot).label("created_by_id"),
        )
        made = insert_orders(work, source)
        requested = text_from("End of {name} is wanted.", name=resource.c.name)
        wanted, robot_acts = "marketplace_resource_terminate_requested", Actor(made.c.created_by_id)
        assert log_resource_events(work, made, event_type=wanted, message=requested, actor=robot_acts) == 1
        assert log_order_events(work, made, event_type="marketplace_order_approved", message=requested) == 1
        assert hand_over(work, made) == 1
    told, approved = scene.rows(logging.event)[-2:]
    assert told.context["user_username"] == "system_robot"
    assert told.context["resource_created"] == "2025-03-10T12:00:00.250000+00:00"
    assert told.context["resource_get_state_display"] == ResourceState.OK.shown == "OK"
    assert approved.context["order_plan"] == "None"
    assert approved.context["created_by_full_name"] == "System Robot"
    assert approved.context["plan_name"] == "Plan"
    order = scene.one(marketplace.order)
    assert (order.resource_id, order.type, order.state, order.termination_comment) == (found, 3, 2, None)
    assert [(row.name, row.delta) for row in scene.rows(quotas.quotausage)] == [("order_count", 1)]
    assert scene.one(core.user).slug == "system_r-1"
    with scene.engine.connect() as connection:
        payload = connection.scalars(select(message.c.payload)).one()
    assert payload["args"] == [f"marketplace.order:{order.id}", f"core.user:{order.created_by_id}"]
