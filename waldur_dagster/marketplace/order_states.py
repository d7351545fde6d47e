"""Changing orders of the marketplace, with everything that follows in Waldur (spec marketplace 0.6)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import FromClause, Table, and_, case, cast, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import distinct_on

from waldur_dagster.marketplace.events import log_order_events
from waldur_dagster.marketplace.order_columns import stamps
from waldur_dagster.marketplace.resource_states import change_resources
from waldur_dagster.marketplace.states import OrderState, OrderType, ResourceState
from waldur_dagster.outbox import WebCall, put
from waldur_dagster.schema import marketplace
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

order, resource = marketplace.order, marketplace.resource
EVENTS = {
    OrderState.EXECUTING: ("marketplace_order_approved", "Marketplace order has been approved."),
    OrderState.REJECTED: ("marketplace_order_rejected", "Marketplace order has been rejected."),
    OrderState.DONE: ("marketplace_order_completed", "Marketplace order has been completed."),
    OrderState.CANCELED: ("marketplace_order_terminated", "Marketplace order has been terminated."),
    OrderState.ERRED: ("marketplace_order_failed", "Marketplace order has been marked as failed."),
}


def change_orders(
    work: Work,
    chosen: FromClause,
    name: str = "order_change",
    *,
    move_resources: bool = True,
    failures_end: bool = True,
) -> Table:
    """Give orders a new state: one row of ``chosen`` for each, with order_id, state and other columns of the order.

    Orders that are in that state already are left alone. What follows: the event of the new state, a call of the
    order's callback URL, and with ``move_resources`` the resource of an order that was rejected, or of one that
    failed while the resource was being created. Callers that know the resource's final state set it themselves.
    ``failures_end``: whether orders that fail count as ended, see ``order_columns.stamps``.

    Returns the temporary table ``name`` of the changed ones: order_id, resource_id, type, state, old_state.
    """
    given = [column.name for column in chosen.c if column.name in order.c and column.name not in ("id", "type")]
    new = {column: cast(chosen.c[column], order.c[column].type).label(f"new_{column}") for column in given}
    changed = temporary_table(
        work,
        name,
        select(order.c.id.label("order_id"), order.c.resource_id, order.c.type, order.c.state.label("old_state"))
        .add_columns(*new.values())
        .join_from(order, chosen, chosen.c.order_id == order.c.id)
        .where(order.c.state != chosen.c.state)
        .order_by(order.c.id)
        .with_for_update(of=order),
    )
    values: dict[str, Any] = {column: changed.c[f"new_{column}"] for column in given}
    values |= stamps(work, changed, given, failures_end=failures_end)
    written = work.execute(update(order).values(**values, modified=work.as_of).where(order.c.id == changed.c.order_id))
    if written.rowcount:
        _log(work, changed)
        _call_back(work, changed)
        if move_resources:
            _move_resources(work, changed)
    return changed


def _log(work: Work, changed: Table) -> None:
    told = select(changed.c.order_id).where(changed.c.new_state.in_(EVENTS)).subquery("told")
    kinds, messages = ({state: event[n] for state, event in EVENTS.items()} for n in (0, 1))
    log_order_events(
        work, told, event_type=case(kinds, value=order.c.state), message=case(messages, value=order.c.state)
    )


def _call_back(work: Work, changed: Table) -> None:
    """Tell whoever ordered: a POST without a body. The key names the change, so that a retry tells it once."""
    rows = work.connection.execute(
        select(order.c.id, order.c.callback_url, order.c.state)
        .join(changed, changed.c.order_id == order.c.id)
        .where(func.coalesce(order.c.callback_url, "") != "")
        .order_by(order.c.id)
    ).all()
    put(
        work,
        (
            WebCall(
                key=f"callback of order {row.id} {OrderState(row.state).shown} {work.as_of.isoformat()}",
                url=row.callback_url,
            )
            for row in rows
        ),
    )


def _move_resources(work: Work, changed: Table) -> None:
    rejected, failed = changed.c.new_state == OrderState.REJECTED, changed.c.new_state == OrderState.ERRED
    creating = resource.c.state == ResourceState.CREATING
    state = case(
        (and_(rejected, changed.c.type == OrderType.CREATE), literal(int(ResourceState.TERMINATED))),
        (rejected, literal(int(ResourceState.OK))),
        (resource.c.backend_id == "", literal(int(ResourceState.TERMINATED))),
        else_=literal(int(ResourceState.ERRED)),
    )
    moved = (
        select(resource.c.id.label("resource_id"), state.label("state"))
        .join(changed, changed.c.resource_id == resource.c.id)
        .where(or_(rejected, and_(failed, creating)))
        .ext(distinct_on(resource.c.id))
        .order_by(resource.c.id, changed.c.order_id.desc())
    )
    change_resources(work, moved.subquery("moved"), f"{changed.name}_resource")
