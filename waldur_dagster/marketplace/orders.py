"""Writing orders, and handing them to Waldur's workers for processing (spec marketplace 0.6 and 0.7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Integer, Select, Table, Text, func, literal, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.marketplace.order_columns import approves_waiting, slug_of_new
from waldur_dagster.outbox import Handover, put
from waldur_dagster.platform.quota_usage import add_deltas
from waldur_dagster.schema import marketplace
from waldur_dagster.temporary import temporary_returned
from waldur_dagster.work import Work

PROCESS_ORDER = "waldur_mastermind.marketplace.tasks.process_order"
order = marketplace.order


def insert_orders(work: Work, source: Select[Any], name: str = "new_order") -> Table:
    """Write an order for each row of ``source``, and count it for its offering.

    ``source`` names the columns that matter (type, state, resource_id, offering_id, project_id, created_by_id ...);
    the others are empty. Returns the temporary table ``name`` (order_id, resource_id, offering_id, state,
    created_by_id). No event is written here.
    """
    given = source.subquery("given")
    empty: dict[str, Any] = {
        "uuid": func.gen_random_uuid(),
        "created": literal(work.as_of),
        "modified": literal(work.as_of),
        "attributes": literal_column("'{}'::jsonb", JSONB),
        "limits": literal_column("'{}'::jsonb", JSONB),
        "output": literal("", Text),
        "error_message": literal("", Text),
        "error_traceback": literal("", Text),
        "backend_id": literal("", Text),
    }
    if work.schema.has_column(order.c.slug):
        empty["slug"] = slug_of_new(work, given)
    own = [value.label(column) for column, value in empty.items() if column not in given.c]
    statement = work.insert_from(order, select(*given.c, *own)).returning(
        order.c.id.label("order_id"), order.c.resource_id, order.c.offering_id, order.c.state, order.c.created_by_id
    )
    made = temporary_returned(work, name, statement)
    offering_type = literal(work.content_types("marketplace", "offering"), Integer)
    add_deltas(
        work,
        select(
            offering_type.label("content_type_id"),
            made.c.offering_id.label("object_id"),
            literal("order_count", Text).label("name"),
            literal(1).label("delta"),
        ),
    )
    return made


def hand_over(work: Work, chosen: FromClause) -> int:
    """Ask Waldur's workers to process the orders of ``chosen`` (order_id); returns how many are new."""
    found = (
        select(order.c.id, _acting(work).label("acting_id"))
        .join_from(chosen, order, order.c.id == chosen.c.order_id)
        .order_by(order.c.id)
    )
    rows = work.connection.execute(found).all()

    def messages() -> Iterator[Handover]:
        for row in rows:
            yield Handover(
                key=f"process order {row.id}",
                task=PROCESS_ORDER,
                args=[f"marketplace.order:{row.id}", f"core.user:{row.acting_id}"],
            )

    if rows and not work.deployment.has_broker:
        work.outcome.warn(
            f"{len(rows)} orders",
            "wait in the outbox: this deployment has no [celery] broker_url, so no worker of Waldur is told of them",
        )
    return put(work, messages())


def _acting(work: Work) -> ColumnElement[int]:
    """In whose name an order is processed: of who approved it for the customer; of its author on older sites."""
    if not approves_waiting(work):
        return order.c.created_by_id
    return func.coalesce(order.c.consumer_reviewed_by_id, order.c.created_by_id)
