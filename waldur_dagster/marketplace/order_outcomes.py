"""What an order comes to: the order, its resource, the news of it (spec core 3, remote 6)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import FromClause, Integer, Table, Text, and_, case, func, select

from waldur_dagster.marketplace.events import log_resource_events
from waldur_dagster.marketplace.order_states import change_orders
from waldur_dagster.marketplace.order_updates import apply_updates
from waldur_dagster.marketplace.resource_states import change_resources
from waldur_dagster.marketplace.states import OrderState, OrderType, ResourceState
from waldur_dagster.marketplace.team_mails import mail_teams
from waldur_dagster.platform.expressions import given_rows, text_from
from waldur_dagster.schema import marketplace
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

order, resource = marketplace.order, marketplace.resource
NOTIFY = "WALDUR_MARKETPLACE.NOTIFY_ABOUT_RESOURCE_CHANGE"


@dataclass(frozen=True)
class Result:
    """What becomes of the executing order of a type and of the resource, and what is said of it."""

    resource_state: ResourceState
    message: str
    type: OrderType | None = None
    order_state: OrderState | None = None
    mailed: bool = False


def _results(kind: OrderType, **results: tuple[OrderState, ResourceState, str, bool]) -> dict[str, Result]:
    return {
        f"{kind.name.lower()}_{name}": Result(resource_state, message, kind, order_state, mailed)
        for name, (order_state, resource_state, message, mailed) in results.items()
    }


# The event of a result is ``marketplace_resource_<result>``, its mail the notification of that name.
RESULTS = {
    **_results(
        OrderType.CREATE,
        succeeded=(OrderState.DONE, ResourceState.OK, "Resource {name} has been created.", True),
        failed=(OrderState.ERRED, ResourceState.ERRED, "Resource {name} creation has failed.", True),
        canceled=(OrderState.CANCELED, ResourceState.TERMINATED, "Resource {name} creation has been canceled.", False),
    ),
    **_results(
        OrderType.UPDATE,
        succeeded=(OrderState.DONE, ResourceState.OK, "Resource {name} has been updated successfully.", False),
        failed=(OrderState.ERRED, ResourceState.ERRED, "Resource {name} update has failed.", True),
        canceled=(OrderState.CANCELED, ResourceState.OK, "Resource {name} update has canceled.", False),
    ),
    **_results(
        OrderType.TERMINATE,
        succeeded=(OrderState.DONE, ResourceState.TERMINATED, "Resource {name} has been deleted.", True),
        failed=(OrderState.ERRED, ResourceState.OK, "Resource {name} deletion has failed.", True),
        canceled=(OrderState.CANCELED, ResourceState.OK, "Resource {name} terminate has canceled.", False),
    ),
    "erred_on_backend": Result(ResourceState.ERRED, "Resource {name} got an error on its backend."),
}


def settle(work: Work, chosen: FromClause) -> None:
    """Settle the operations on some resources: ``chosen`` has resource_id, result (a key of RESULTS) and, for failed
    creations, error_message and error_traceback; each resource once.

    In this order: the order with its event, the resource's final state, plan and limits of an update, the event of
    the result, mails to the project's team. The order is the one that ``chosen`` names as order_id, in whatever state;
    else the one of that type that executes: when there is none, or several, no order is touched. A terminated resource
    does not come back: its order ends, nothing else is done. Statements: constant.
    """
    settled = temporary_table(work, "settled", select(chosen))
    orders = _named_orders(work, settled) if "order_id" in settled.c else _executing_orders(work, settled)
    _end_orders(work, settled, orders)
    _report_missing(work, settled, orders)
    standing = _standing(work, settled)
    states = select(standing.c.resource_id, standing.c.state)
    change_resources(work, states.subquery("states"))
    apply_updates(work, standing, orders)
    _tell(work, standing)


def _named_orders(work: Work, settled: Table) -> Table:
    named = (settled.c.order_id, settled.c.resource_id, settled.c.result)
    return temporary_table(work, "settled_order", select(*named).where(settled.c.order_id.is_not(None)))


def _executing_orders(work: Work, settled: Table) -> Table:
    """(order_id, resource_id, result) of the one executing order of each resource that fits the result."""
    rows = [{"result": key, "type": r.type} for key, r in RESULTS.items() if r.type is not None]
    kinds = given_rows(rows, result=Text, type=Integer)
    return temporary_table(
        work,
        "settled_order",
        select(
            func.min(order.c.id).label("order_id"), settled.c.resource_id, func.min(settled.c.result).label("result")
        )
        .join_from(settled, kinds, kinds.c.result == settled.c.result)
        .join(order, and_(order.c.resource_id == settled.c.resource_id, order.c.type == kinds.c.type))
        .where(order.c.state == OrderState.EXECUTING)
        .group_by(settled.c.resource_id)
        .having(func.count() == 1),
    )


def _end_orders(work: Work, settled: Table, orders: Table) -> None:
    states = {key: int(r.order_state) for key, r in RESULTS.items() if r.order_state is not None}
    source = orders.join(order, order.c.id == orders.c.order_id)
    values = [case(states, value=orders.c.result).label("state")]
    if "error_message" in settled.c:
        source = source.join(settled, settled.c.resource_id == orders.c.resource_id)
        values += [
            case((orders.c.result == "create_failed", func.coalesce(settled.c[name], "")), else_=order.c[name]).label(
                name
            )
            for name in ("error_message", "error_traceback")
        ]
    ended = select(orders.c.order_id, *values).select_from(source)
    change_orders(work, ended.subquery("ended"), move_resources=False, failures_end=False)


def _report_missing(work: Work, settled: Table, orders: Table) -> None:
    """Creations have an order; one that has none, or several, is an oddity."""
    missing = (
        select(resource.c.name, resource.c.uuid)
        .join(settled, settled.c.resource_id == resource.c.id)
        .outerjoin(orders, orders.c.resource_id == resource.c.id)
        .where(settled.c.result.startswith("create_"), orders.c.order_id.is_(None))
        .order_by(resource.c.id)
    )
    for row in work.connection.execute(missing):
        work.outcome.warn(f"resource {row.name} ({row.uuid.hex})", "has no single order that is creating it")


def _standing(work: Work, settled: Table) -> Table:
    """(resource_id, result, state): what the resources come to, without those that are terminated for good."""
    states = case({key: int(r.resource_state) for key, r in RESULTS.items()}, value=settled.c.result)
    returns = and_(resource.c.state == ResourceState.TERMINATED, states == int(ResourceState.OK))
    rows = select(resource.c.id.label("resource_id"), settled.c.result, states.label("state")).join(
        settled, settled.c.resource_id == resource.c.id
    )
    standing = temporary_table(work, "standing", rows.where(~returns))
    gone = select(resource.c.name, resource.c.uuid).join(settled, settled.c.resource_id == resource.c.id).where(returns)
    for row in work.connection.execute(gone):
        work.outcome.warn(f"resource {row.name} ({row.uuid.hex})", "is terminated; what its backend says of it is late")
    return standing


def _tell(work: Work, standing: Table) -> None:
    messages = {key: text_from(result.message, name=resource.c.name) for key, result in RESULTS.items()}
    log_resource_events(
        work,
        standing,
        event_type=func.concat("marketplace_resource_", standing.c.result),
        message=case(messages, value=standing.c.result),
    )
    if not work.settings[NOTIFY]:
        return
    present = set(work.connection.scalars(select(standing.c.result).distinct()))
    for key, result in RESULTS.items():
        if result.mailed and key in present:
            told = select(standing.c.resource_id).where(standing.c.result == key)
            mail_teams(work, f"marketplace.marketplace_resource_{key}", told.subquery("told"))
