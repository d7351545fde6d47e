"""What newer versions of Waldur keep of an order besides its state (spec newer_billing 4.5).

When it ended, when its output or error last changed, a readable slug, and whether it was placed for somebody. Older
ones keep when it was activated.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    FromClause,
    Integer,
    Text,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
)

from waldur_dagster.marketplace.states import OrderState, OrderType
from waldur_dagster.schema import core, marketplace, structure
from waldur_dagster.work import Work

order = marketplace.order
LONGEST_SLUG = 50
# What a change of these columns stamps.
STAMPED = {"output": "output_updated_at", "error_message": "error_updated_at", "error_traceback": "error_updated_at"}


def approves_waiting(work: Work) -> bool:
    """Whether a terminate order that waits for the customer is approved, not replaced (spec newer_billing 4.4)."""
    return work.schema.has_column(order.c.completed_at)


def stamps(work: Work, changed: FromClause, given: list[str], *, failures_end: bool) -> dict[str, ColumnElement[Any]]:
    """Columns that an order gets with a change: ``changed`` has new_state and a ``new_`` column for each of ``given``.

    ``failures_end``: whether an order that fails counts as ended; one whose back end failed does not.
    """
    now = literal(work.as_of, DateTime(timezone=True))
    if not work.schema.has_column(order.c.completed_at):
        return {"activated": case((changed.c.new_state == OrderState.DONE, now), else_=order.c.activated)}
    ending = [OrderState.DONE, OrderState.CANCELED, OrderState.REJECTED, *([OrderState.ERRED] if failures_end else [])]
    made: dict[str, ColumnElement[Any]] = {
        "completed_at": case((changed.c.new_state.in_(ending), now), else_=order.c.completed_at)
    }
    for stamp in dict.fromkeys(STAMPED[name] for name in given if name in STAMPED):
        columns = [name for name in given if STAMPED.get(name) == stamp]
        differs = or_(*(changed.c[f"new_{name}"].is_distinct_from(order.c[name]) for name in columns))
        made[stamp] = case((differs, now), else_=order.c[stamp])
    return made


def touched(work: Work, *names: str) -> dict[str, Any]:
    """The stamps of columns that have changed while the order kept its state; none on older sites."""
    stamped = [order.c[STAMPED[name]] for name in names if name in STAMPED]
    return {column.name: work.as_of for column in stamped if work.schema.has_column(column)}


def slug_of_new(work: Work, given: FromClause) -> ColumnElement[str]:
    """``<customer>-<offering>-<date>`` for each row of ``given`` (project_id, offering_id), numbered where it is taken.

    For the select list of a statement on ``given``.
    """
    customer, offering, project = structure.customer, marketplace.offering, structure.project
    named = (
        select(func.concat_ws("-", func.nullif(customer.c.slug, ""), func.nullif(offering.c.slug, ""), _date(work)))
        .select_from(project.join(customer, customer.c.id == project.c.customer_id))
        .join(offering, offering.c.id == given.c.offering_id)
        .where(project.c.id == given.c.project_id)
        .correlate(given)
        .scalar_subquery()
    )
    base = func.rtrim(func.left(named, LONGEST_SLUG), "-")
    other = order.alias("slugged")
    number = case((other.c.slug == base, 1), else_=cast(func.substring(other.c.slug, r"-(\d{1,6})$"), Integer))
    taken = (
        select(func.coalesce(func.max(number), 0))
        .where(func.starts_with(other.c.slug, base))
        .correlate(given)
        .scalar_subquery()
    )
    mine = taken + cast(func.row_number().over(partition_by=base), Integer)
    suffix = func.concat("-", mine)
    numbered = func.concat(func.left(base, LONGEST_SLUG - func.length(suffix)), suffix)
    return case((mine == 1, base), else_=numbered)


def placed_for(work: Work) -> ColumnElement[Any]:
    """The active user for whom a resource was ordered automatically; NULL for others, and on older sites.

    For the select list of a statement on marketplace_resource.
    """
    resource = marketplace.resource
    if not work.schema.has_column(order.c.placed_automatically):
        return cast(null(), Integer)
    placed, author = order.alias("placed"), core.user.alias("placed_for")
    return (
        select(case((author.c.is_active, author.c.id)))
        .join_from(placed, author, author.c.id == placed.c.created_by_id)
        .where(placed.c.resource_id == resource.c.id, placed.c.type == OrderType.CREATE, placed.c.placed_automatically)
        .order_by(placed.c.created, placed.c.id)
        .limit(1)
        .correlate(resource)
        .scalar_subquery()
    )


def _date(work: Work) -> ColumnElement[str]:
    return literal(work.today.isoformat(), Text)
