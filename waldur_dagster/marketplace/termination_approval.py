"""Terminate orders that wait for the customer are approved by the system robot (spec newer_billing 4.4)."""

from __future__ import annotations

from datetime import UTC, date

from sqlalchemy import Integer, literal, select

from waldur_dagster.marketplace.approval import provider_must_approve
from waldur_dagster.marketplace.order_columns import approves_waiting
from waldur_dagster.marketplace.order_mails import tell_providers
from waldur_dagster.marketplace.order_states import change_orders
from waldur_dagster.marketplace.orders import hand_over
from waldur_dagster.marketplace.rights import Person
from waldur_dagster.marketplace.states import OrderState
from waldur_dagster.marketplace.termination_facts import Candidate
from waldur_dagster.outbox import ApiCall, put
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.schema import marketplace
from waldur_dagster.users.system_robot import RobotUnusable, system_robot
from waldur_dagster.work import Work

# Stands for the system robot until it is known that it is needed; it is made then, not before.
ROBOT = Person(0, "system_robot", is_active=True, is_staff=True, is_support=False)
order = marketplace.order
ORDERS_START_LATER = "ENABLE_ORDER_START_DATE"


def state_once_approved(work: Work, candidate: Candidate, reviewer: Person) -> OrderState:
    """What an order waits for when ``reviewer`` has approved it for the customer."""
    today = _today(work)
    if candidate.project_start is not None and candidate.project_start > today:
        return OrderState.PENDING_PROJECT
    if provider_must_approve(reviewer, candidate.offering):
        return OrderState.PENDING_PROVIDER
    start = candidate.order_starts
    if start is not None and start > today and work.constance[ORDERS_START_LATER]:
        return OrderState.PENDING_START_DATE
    return OrderState.EXECUTING


def _today(work: Work) -> date:
    """The day that start dates are compared with: in UTC on newer sites, in the site's own zone on older ones."""
    return work.as_of.astimezone(UTC).date() if approves_waiting(work) else work.today


def approve_waiting(work: Work, candidates: list[Candidate]) -> int:
    """Approve the waiting orders of the candidates in the robot's name, author kept; returns how many.

    With ``[waldur_api]`` Waldur is asked to do it.
    """
    if work.deployment.waldur_api:
        return _ask_waldur(work, candidates)
    robot = robot_or_failures(work, candidates)
    if not robot:
        return 0
    rows = [
        {
            "order_id": candidate.waiting_order,
            "state": state_once_approved(work, candidate, ROBOT).value,
            "consumer_reviewed_by_id": robot,
        }
        for candidate in candidates
    ]
    given = given_rows(rows, **dict.fromkeys(rows[0], Integer))
    approved = change_orders(
        work,
        select(*given.c, literal(work.as_of).label("consumer_reviewed_at")).subquery("approved"),
        "approved_order",
    )
    in_state = {
        state: select(approved.c.order_id).where(approved.c.new_state == state).subquery(state.name.lower())
        for state in (OrderState.EXECUTING, OrderState.PENDING_PROVIDER)
    }
    hand_over(work, in_state[OrderState.EXECUTING])
    tell_providers(work, in_state[OrderState.PENDING_PROVIDER])
    return len(rows)


def robot_or_failures(work: Work, candidates: list[Candidate]) -> int:
    """The system robot's id, or 0 when it cannot act: then every candidate is reported as failed."""
    try:
        return system_robot(work)
    except RobotUnusable as problem:
        for candidate in candidates:
            work.outcome.fail(candidate.label, f"could not be terminated. {problem}")
        return 0


def _ask_waldur(work: Work, candidates: list[Candidate]) -> int:
    """One call a day for an order."""
    chosen = select(order.c.uuid).where(order.c.id.in_([found.waiting_order for found in candidates]))
    calls = (
        ApiCall(
            key=f"approve termination {uuid.hex} {work.today}",
            path=f"/api/marketplace-orders/{uuid.hex}/approve_by_consumer/",
        )
        for uuid in work.connection.scalars(chosen.order_by(order.c.id)).all()
    )
    return put(work, calls)
