"""Writing orders, and handing them to Waldur's workers for processing (spec marketplace 0.6 and 0.7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import FromClause, Integer, Select, Table, Text, func, literal, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.marketplace.order_columns import slug_of_new
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
    """Ask Waldur's workers to process the orders of ``chosen`` (order_id, created_by_id); returns how many are new.

    The workers act in the name of ``acting_id`` where ``chosen`` has that column, else of the order's author.
    """
    acting = chosen.c.acting_id if "acting_id" in chosen.c else chosen.c.created_by_id
    found = select(chosen.c.order_id, acting.label("acting_id")).order_by(chosen.c.order_id)
    rows = work.connection.execute(found).all()

    def messages() -> Iterator[Handover]:
        for row in rows:
            yield Handover(
                key=f"process order {row.order_id}",
                task=PROCESS_ORDER,
                args=[f"marketplace.order:{row.order_id}", f"core.user:{row.acting_id}"],
            )

    if rows and not work.deployment.has_broker:
        work.outcome.warn(
            f"{len(rows)} orders",
            "wait in the outbox: this deployment has no [celery] broker_url, so no worker of Waldur is told of them",
        )
    return put(work, messages())
