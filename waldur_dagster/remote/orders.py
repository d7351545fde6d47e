"""Orders that are carried out at remotes (spec remote 6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Text, literal, select, update

from waldur_dagster.clients.failures import ItemFailed
from waldur_dagster.clients.waldur import Document, Uuid, Words, uuid_text
from waldur_dagster.marketplace.order_columns import touched
from waldur_dagster.marketplace.order_outcomes import settle
from waldur_dagster.marketplace.order_states import change_orders
from waldur_dagster.marketplace.resource_states import change_resources
from waldur_dagster.marketplace.states import OrderState, OrderType, ResourceState
from waldur_dagster.remote.remotes import TYPE, Offering, client, offerings_by_id
from waldur_dagster.remote.states import ORDER_STATES
from waldur_dagster.schema import marketplace
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Stop, Visit, visit
from waldur_dagster.work import Work

order, resource, offering = marketplace.order, marketplace.resource, marketplace.offering
ORDERS = "marketplace-orders/"
ENDED = (OrderState.DONE, OrderState.ERRED, OrderState.CANCELED, OrderState.REJECTED)
# What a remote's state means for the order here; what is refused there has come to nothing here.
RESULTS = {
    OrderState.DONE: "succeeded",
    OrderState.ERRED: "failed",
    OrderState.CANCELED: "canceled",
    OrderState.REJECTED: "canceled",
}
KINDS = {
    OrderType.CREATE: "create",
    OrderType.UPDATE: "update",
    OrderType.TERMINATE: "terminate",
    OrderType.RESTORE: "create",
}
# Where an order that goes on takes its resource.
UNDER_WAY = {OrderType.UPDATE: ResourceState.UPDATING, OrderType.TERMINATE: ResourceState.TERMINATING}


class Order(Document):
    """What a remote says of an order."""

    state: Words
    marketplace_resource_uuid: Uuid = ""
    error_message: Words = ""


@dataclass(frozen=True)
class LocalOrder:
    """An order that is known at its remote as ``backend_id``."""

    id: int
    uuid: UUID
    backend_id: str
    offering: Offering

    def __str__(self) -> str:
        return f"order {self.uuid.hex}"


def pull_orders(transaction: Transactions) -> None:
    """Bring the orders that have not ended to what they have come to at their remotes."""
    with transaction() as work:
        open_orders = _read(work, order.c.state.not_in(ENDED))
    _pull(transaction, open_orders, _follow_open)


def pull_erred_orders(transaction: Transactions) -> None:
    """Revive failed orders, of this month and the one before, that live on at their remotes, or have ended there."""
    with transaction() as work:
        kinds = order.c.type.in_((OrderType.UPDATE, OrderType.TERMINATE))
        erred = _read(work, order.c.state == OrderState.ERRED, kinds, order.c.created >= _month_before_this(work.as_of))
    _pull(transaction, erred, _follow_erred)


def settle_ended(work: Work, ended: Mapping[int, Order]) -> None:
    """Bring open orders, by id, to what their remotes say that they have come to."""
    for id, report in ended.items():
        row = _locked(work, id)
        if row is not None:
            _follow_open(work, row, ORDER_STATES[report.state])
            _keep_facts(work, row, report)


def _read(work: Work, *where: ColumnElement[bool]) -> list[LocalOrder]:
    rows = work.connection.execute(
        select(order.c.id, order.c.uuid, order.c.backend_id, order.c.offering_id)
        .join(offering, offering.c.id == order.c.offering_id)
        .where(offering.c.type == TYPE, order.c.backend_id != "", *where)
        .order_by(order.c.created, order.c.id)
    ).all()
    offerings = offerings_by_id(work, {row.offering_id for row in rows})
    return [
        LocalOrder(row.id, row.uuid, uuid_text(row.backend_id), offerings[row.offering_id])
        for row in rows
        if row.offering_id in offerings
    ]


def _month_before_this(now: datetime) -> datetime:
    """Its first instant in UTC."""
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first - timedelta(days=1)).replace(day=1)


def _pull(
    transaction: Transactions, orders: Sequence[LocalOrder], follow: Callable[[Work, _Locked, OrderState], None]
) -> None:
    """Ask for each order; ``follow`` is given its row, locked with its resource's, and its state at the remote."""

    def fetch(visiting: Visit, one: LocalOrder) -> tuple[OrderState, Order]:
        found = Order.read(client(visiting, one.offering.remote).one(f"{ORDERS}{one.backend_id}/"))
        state = ORDER_STATES.get(found.state)
        if state is None:
            raise ItemFailed(f"its state at the remote is {found.state[:50]!r}, which is unknown")
        return state, found

    def merge(work: Work, one: LocalOrder, found: tuple[OrderState, Order]) -> None:
        state, report = found
        row = _locked(work, one.id)
        if row is not None:
            follow(work, row, state)
            _keep_facts(work, row, report)

    visit(transaction, [Stop(one.offering.remote.name, str(one), one) for one in orders], fetch, merge)


def _locked(work: Work, id: int) -> _Locked | None:
    """The order as it is now; None when somebody else is at work on it: the next run finds what has become of it."""
    of_order = select(order.c.resource_id).where(order.c.id == id).scalar_subquery()
    lock = {"skip_locked": True}
    names = ("id", "state", "backend_id")
    columns = [resource.c[name].label(f"resource_{name}") for name in names]
    place = work.connection.execute(
        select(*columns).where(resource.c.id == of_order).with_for_update(of=resource, **lock)
    ).one_or_none()
    row = work.connection.execute(
        select(*(order.c[name] for name in ("id", "type", "state", "error_message")))
        .where(order.c.id == id, order.c.resource_id == (place.resource_id if place else None))
        .with_for_update(of=order, **lock)
    ).one_or_none()
    if place is None or row is None:
        work.outcome.figures["orders that are being changed"] += 1
        return None
    return _Locked(**row._mapping, **place._mapping)


@dataclass(frozen=True)
class _Locked:
    id: int
    type: int
    state: int
    error_message: str
    resource_id: int
    resource_state: int
    resource_backend_id: str


def _follow_open(work: Work, row: _Locked, state: OrderState) -> None:
    """What an earlier run has told already is not told again: then the order is closed, nothing else."""
    if row.state in ENDED:
        return
    told = row.type == OrderType.CREATE and row.state != OrderState.EXECUTING and row.resource_state == ResourceState.OK
    if state == OrderState.DONE and told:
        _change(work, row, OrderState.DONE)
    elif state in RESULTS:
        _settle(work, row, state)
    elif state == OrderState.EXECUTING and row.state != OrderState.EXECUTING:
        _change(work, row, OrderState.EXECUTING)


def _follow_erred(work: Work, row: _Locked, state: OrderState) -> None:
    if row.state != OrderState.ERRED or state in (OrderState.ERRED, OrderState.PENDING_PROJECT):
        return
    if state in RESULTS:
        _settle(work, row, state)
        return
    _change(work, row, OrderState.EXECUTING)
    ended_for_good = row.type == OrderType.UPDATE and row.resource_state == ResourceState.TERMINATED
    if not ended_for_good:
        change_resources(work, _one(row.resource_id, state=UNDER_WAY[OrderType(row.type)]).subquery("under_way"))


def _settle(work: Work, row: _Locked, state: OrderState) -> None:
    result = f"{KINDS[OrderType(row.type)]}_{RESULTS[state]}"
    chosen = select(
        literal(row.resource_id, Integer).label("resource_id"),
        literal(row.id, Integer).label("order_id"),
        literal(result, Text).label("result"),
    )
    settle(work, chosen.subquery("chosen"))


def _change(work: Work, row: _Locked, state: OrderState) -> None:
    chosen = select(literal(row.id, Integer).label("order_id"), literal(int(state), Integer).label("state"))
    change_orders(work, chosen.subquery("chosen"), move_resources=False)


def _keep_facts(work: Work, row: _Locked, report: Order) -> None:
    """The uuid of the resource at the remote, and what the remote says of the order's failure."""
    name = report.marketplace_resource_uuid
    if name and name != uuid_text(row.resource_backend_id):
        change_resources(work, _one(row.resource_id, backend_id=name).subquery("named"))
    if report.error_message != row.error_message:
        values = {"error_message": report.error_message, **touched(work, "error_message")}
        work.execute(update(order).where(order.c.id == row.id).values(**values, modified=work.as_of))


def _one(resource_id: int, **values: Any) -> Any:
    new = (literal(value, resource.c[name].type).label(name) for name, value in values.items())
    return select(literal(resource_id, Integer).label("resource_id"), *new)
