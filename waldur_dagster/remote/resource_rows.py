"""What becomes of resources and orders that remotes tell of (spec remote 5, OURS)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Boolean, DateTime, FromClause, Integer, String, Text, any_, case, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from waldur_dagster.marketplace.orders import insert_orders
from waldur_dagster.marketplace.resource_states import change_resources
from waldur_dagster.marketplace.states import OrderState
from waldur_dagster.platform.expressions import given_rows, hex_of
from waldur_dagster.remote.orders import ENDED, settle_ended
from waldur_dagster.remote.remotes import Resource
from waldur_dagster.remote.resource_documents import PulledResource
from waldur_dagster.remote.states import ORDER_STATES, ORDER_TYPES
from waldur_dagster.schema import marketplace
from waldur_dagster.users.system_robot import system_robot
from waldur_dagster.work import Work

resource, order = marketplace.resource, marketplace.order
Pulled = Sequence[tuple[Resource, PulledResource]]
# Columns that are made what the remote has, with an event for each group of them. Options that came from the remote
# are never sent back to it.
COPIED = (("report", "attributes", "options"), ("effective_id",))


def keep_resources(work: Work, pulled: Pulled) -> None:
    """Make these resources what their remotes have, write down orders that were placed there, and end those that have
    ended there; the states of the resources follow last.

    An unknown state is told, and the resource keeps its own; the rest is written.
    """
    for number, group in enumerate(COPIED):
        change_resources(work, _copies(pulled, group), f"copied_{number}")
    _import_orders(work, pulled)
    settle_ended(work, {id: report for _, one in pulled for id, report in one.ended.items()})
    states = [{"resource_id": place.id, "state": int(one.state)} for place, one in pulled if one.state is not None]
    given = given_rows(states, resource_id=Integer, state=Integer)
    change_resources(work, select(given).subquery("states"), "state_change")
    for place, one in pulled:
        if one.state is None:
            work.outcome.fail(str(place), f"its state at the remote is {one.found.state[:50]!r}, which is unknown")


def _copies(pulled: Pulled, columns: Sequence[str]) -> FromClause:
    """The values of the remotes; a field that an answer does not have keeps what is here."""
    rows = []
    for place, one in pulled:
        row: dict[str, Any] = {"resource_id": place.id}
        for column in columns:
            name = "backend_id" if column == "effective_id" else column
            row |= {column: getattr(one.found, name), f"has_{column}": name in one.given}
        rows.append(row)
    types = {name: resource.c[name].type for name in columns} | {f"has_{name}": Boolean() for name in columns}
    given = given_rows(rows, resource_id=Integer, **types)
    values = (case((given.c[f"has_{name}"], given.c[name]), else_=resource.c[name]).label(name) for name in columns)
    joined = select(given.c.resource_id, *values).join_from(given, resource, resource.c.id == given.c.resource_id)
    return joined.subquery("copies")


def _import_orders(work: Work, pulled: Pulled) -> None:
    """An order that has not ended at its remote is carried out there: here it executes, and nobody is asked or told."""
    rows = list(_new_orders(work, pulled))
    uuid = hex_of(order.c.backend_id)  # Waldur may have stored it with dashes
    asked = literal([row["backend_id"] for row in rows], ARRAY(String))
    known = set(work.connection.scalars(select(uuid).where(uuid == any_(asked))))
    fresh = [row for row in rows if row["backend_id"] not in known]
    if not fresh:
        return
    robot = system_robot(work)
    types = {"backend_id": Text, "error_message": Text, "error_traceback": Text, "attributes": JSONB, "limits": JSONB}
    times = {name: DateTime(timezone=True) for name in ("created", "consumer_reviewed_at")}
    given = given_rows(fresh, resource_id=Integer, type=Integer, state=Integer, **types, **times)
    insert_orders(
        work,
        select(
            *given.c,
            given.c.created.label("modified"),
            resource.c.offering_id,
            resource.c.project_id,
            *(
                literal(robot, Integer).label(name)
                for name in ("created_by_id", "consumer_reviewed_by_id", "provider_reviewed_by_id")
            ),
        )
        .join_from(given, resource, resource.c.id == given.c.resource_id)
        .order_by(given.c.created, given.c.backend_id),
    )


def _new_orders(work: Work, pulled: Pulled) -> Iterator[dict[str, Any]]:
    copied = ("attributes", "limits", "error_message", "error_traceback", "created", "consumer_reviewed_at")
    for place, one in pulled:
        for found in one.orders:
            state, kind = ORDER_STATES.get(found.state), ORDER_TYPES.get(found.type)
            if state is None or kind is None:
                words = found.state if state is None else found.type
                work.outcome.fail(str(place), f"an order at the remote is {words[:50]!r}, which is unknown")
                continue
            yield {
                "resource_id": place.id,
                "type": int(kind),
                "state": int(state if state in ENDED else OrderState.EXECUTING),
                "backend_id": found.uuid,
                **{name: getattr(found, name) for name in copied},
            }
