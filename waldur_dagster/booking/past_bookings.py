"""The job waldur-mastermind-reject-past-bookings: bookings that nobody accepted before they began are cancelled."""

from __future__ import annotations

from sqlalchemy import Integer, exists, literal, select

from waldur_dagster.booking.schedules import BOOKING, UnreadableSchedule, slot_starts
from waldur_dagster.marketplace.events import log_resource_events
from waldur_dagster.marketplace.order_states import change_orders
from waldur_dagster.marketplace.resource_states import change_resources
from waldur_dagster.marketplace.states import OPEN_ORDERS, OrderState, OrderType, ResourceState
from waldur_dagster.platform.expressions import given_rows, text_from
from waldur_dagster.schema import marketplace
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

resource, offering, order = marketplace.resource, marketplace.offering, marketplace.order
create_order_is_open = (order.c.type == OrderType.CREATE, order.c.state.in_(OPEN_ORDERS))


def reject_past_bookings(work: Work) -> int:
    """Cancel the open create orders of bookings whose latest slot has begun, and end the bookings; returns how many.

    A booking without an open create order, or whose slots cannot be read, is reported and left alone (spec
    marketplace, waldur-mastermind-reject-past-bookings).
    """
    found = work.connection.execute(
        select(
            resource.c.id,
            resource.c.uuid,
            resource.c.name,
            resource.c.attributes,
            exists().where(order.c.resource_id == resource.c.id, *create_order_is_open).label("ordered"),
        )
        .join(offering, offering.c.id == resource.c.offering_id)
        .where(offering.c.type == BOOKING, resource.c.state == ResourceState.CREATING)
        .order_by(resource.c.created, resource.c.id)
        .with_for_update(of=resource, skip_locked=True)
    ).all()
    past: list[dict[str, int]] = []
    for row in found:
        label = f"booking {row.name} ({row.uuid.hex})"
        try:
            begun = max(slot_starts(row.attributes)) < work.as_of
        except UnreadableSchedule as problem:
            work.outcome.warn(label, f"{problem}; it stays as it is")
            continue
        if begun and row.ordered:
            past.append({"resource_id": row.id, "position": len(past)})
        elif begun:
            work.outcome.warn(label, "is being created and has begun, but has no open create order; it stays as it is")
    if past:
        _reject(work, past)
    return len(past)


def _reject(work: Work, past: list[dict[str, int]]) -> None:
    given = given_rows(past, resource_id=Integer, position=Integer)
    chosen = temporary_table(work, "past_booking", select(given.c.resource_id, given.c.position))
    orders = (
        select(order.c.id.label("order_id"), literal(int(OrderState.CANCELED)).label("state"))
        .join(chosen, chosen.c.resource_id == order.c.resource_id)
        .where(*create_order_is_open)
    )
    change_orders(work, orders.subquery("open_order"))
    ended = select(chosen.c.resource_id, literal(int(ResourceState.TERMINATED)).label("state"))
    change_resources(work, ended.subquery("ended"))
    message = text_from("The creation of resource {name} was cancelled.", name=resource.c.name)
    log_resource_events(work, chosen, event_type="marketplace_resource_create_canceled", message=message)
