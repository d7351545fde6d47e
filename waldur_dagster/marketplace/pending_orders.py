"""The job process_pending_project_orders: orders that waited for their project to start go on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Integer, Row, false, func, select

from waldur_dagster.marketplace.approval import OfferingFacts, provider_must_approve
from waldur_dagster.marketplace.order_mails import tell_providers
from waldur_dagster.marketplace.order_states import change_orders
from waldur_dagster.marketplace.orders import hand_over
from waldur_dagster.marketplace.rights import people
from waldur_dagster.marketplace.states import OrderState
from waldur_dagster.outbox import ApiCall, put
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.work import Work

order, offering, project = marketplace.order, marketplace.offering, structure.project


def process_pending_project_orders(work: Work) -> int:
    """Send the waiting orders of projects that have started on to their provider or to Waldur's workers.

    Orders of removed projects stay (spec marketplace, process_pending_project_orders). An order that nobody has
    to approve is carried out at once; with ``[waldur_api]`` Waldur does that when it is asked to approve it. On newer
    sites an order that has a start date of its own waits on for that. Returns how many orders go on.
    """
    waiting = _waiting(work)
    reviewers = people(work, {row.reviewer_id for row in waiting if row.reviewer_id is not None})
    reviewed = {row.id: provider_must_approve(reviewers.get(row.reviewer_id), _offering(work, row)) for row in waiting}
    for_provider = [row for row in waiting if reviewed[row.id]]
    early = [row for row in waiting if not reviewed[row.id] and row.starts_later]
    ready = [row for row in waiting if not reviewed[row.id] and not row.starts_later]
    if not work.deployment.waldur_api:
        ready = _of_somebody(work, ready)
    if early:
        _moved(work, early, OrderState.PENDING_START_DATE)
    if for_provider:
        tell_providers(work, _moved(work, for_provider, OrderState.PENDING_PROVIDER))
    if ready and work.deployment.waldur_api:
        _moved(work, ready, OrderState.PENDING_PROVIDER)
        put(work, _approvals(ready))
    elif ready:
        hand_over(work, _moved(work, ready, OrderState.EXECUTING))
    return len(early) + len(for_provider) + len(ready)


def _of_somebody(work: Work, rows: list[Row[Any]]) -> list[Row[Any]]:
    """Those that workers can process in somebody's name; the others are reported and wait on."""
    for row in rows:
        if row.reviewer_id is None:
            reason = "has neither an author nor anybody who approved it, so nobody can carry it out; it waits on"
            work.outcome.warn(f"order {row.uuid.hex}", reason)
    return [row for row in rows if row.reviewer_id is not None]


def _waiting(work: Work) -> list[Row[Any]]:
    """The orders, oldest first, locked; those that somebody else is changing are left for the next run."""
    return list(
        work.connection.execute(
            select(
                order.c.id,
                order.c.uuid,
                func.coalesce(order.c.consumer_reviewed_by_id, order.c.created_by_id).label("reviewer_id"),
                offering.c.id.label("offering_id"),
                offering.c.type,
                offering.c.customer_id,
                offering.c.shared,
                offering.c.billable,
                offering.c.plugin_options,
                _starts_later(work).label("starts_later"),
            )
            .join(project, project.c.id == order.c.project_id)
            .join(offering, offering.c.id == order.c.offering_id)
            .where(
                order.c.state == OrderState.PENDING_PROJECT, project.c.start_date <= work.today, ~project.c.is_removed
            )
            .order_by(order.c.created, order.c.id)
            .with_for_update(of=order, skip_locked=True)
        )
    )


def _starts_later(work: Work) -> ColumnElement[bool]:
    """Whether an order's own start date, a date in UTC, is still to come (newer, process_pending_project_orders)."""
    if not work.schema.has_column(order.c.start_date):
        return false()
    return func.coalesce(order.c.start_date > work.as_of.astimezone(UTC).date(), false())


def _offering(work: Work, row: Row[Any]) -> OfferingFacts:
    return OfferingFacts(
        id=row.offering_id,
        type=row.type,
        provider=row.customer_id,
        shared=row.shared,
        billable=row.billable,
        plugin_options=row.plugin_options or {},
        may_review_scripts=work.schema.has_column(order.c.completed_at),
    )


def _moved(work: Work, rows: list[Row[Any]], state: OrderState) -> FromClause:
    """Write the new state; returns the orders as a FROM clause (order_id)."""
    given = given_rows(
        [{"order_id": row.id, "state": state.value} for row in rows],
        order_id=Integer,
        state=Integer,
    )
    change_orders(work, select(given.c.order_id, given.c.state).subquery("moved"), f"order_{state.name.lower()}")
    return given


def _approvals(rows: list[Row[Any]]) -> Iterator[ApiCall]:
    for row in rows:
        yield ApiCall(
            key=f"approve order {row.uuid.hex}", path=f"/api/marketplace-orders/{row.uuid.hex}/approve_by_provider/"
        )
