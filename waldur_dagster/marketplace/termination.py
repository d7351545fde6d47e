"""Termination of resources: the one way for all jobs (spec marketplace 0.7).

The program does what Waldur's API call ``marketplace-resources/{uuid}/terminate/`` does, for many resources at once:
it decides in whose name and whether it may, writes the order with its events, and hands it to Waldur's workers, who
carry it out. A deployment with ``[waldur_api]`` makes the call itself instead; the order is then the API user's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, FromClause, Integer, Select, Table, Text, cast, literal, select

from waldur_dagster.marketplace.approval import consumer_must_approve_termination
from waldur_dagster.marketplace.events import Actor, log_order_events, log_resource_events
from waldur_dagster.marketplace.order_columns import approves_waiting
from waldur_dagster.marketplace.order_mails import tell_providers
from waldur_dagster.marketplace.order_states import change_orders
from waldur_dagster.marketplace.orders import hand_over, insert_orders
from waldur_dagster.marketplace.rights import TERMINATE, Person, people
from waldur_dagster.marketplace.states import OrderState, OrderType
from waldur_dagster.marketplace.termination_approval import (
    ROBOT,
    approve_waiting,
    robot_or_failures,
    state_once_approved,
)
from waldur_dagster.marketplace.termination_checks import refusal
from waldur_dagster.marketplace.termination_facts import Candidate, read_candidates
from waldur_dagster.outbox import ApiCall, put, waiting_keys
from waldur_dagster.platform.expressions import given_rows, text_from
from waldur_dagster.schema import marketplace
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

LANGUAGES = "WALDUR_MARKETPLACE_SCRIPT.DOCKER_IMAGES"
LONGEST_COMMENT = 255

resource, order = marketplace.resource, marketplace.order


@dataclass(frozen=True)
class Decision:
    """An order that will be written: in whose name, approved by whom for the customer, and in which state.

    ``placed_for`` is its author where the robot acts for somebody.
    """

    candidate: Candidate
    actor: Person
    reviewer: Person
    state: OrderState
    placed_for: int | None = None

    @property
    def needs_robot(self) -> bool:
        return ROBOT in (self.actor, self.reviewer)


def terminate(work: Work, resources: Select[tuple[int, str]]) -> int:
    """Order the end of the resources that ``resources`` selects (their id, comment); returns how many orders or calls.

    Orders of them that wait for the customer's approval are cancelled with the comment; on newer sites a terminate
    order that waits is approved instead, no other is made, and nothing is cancelled while an order is carried out or
    has failed lately. What cannot be terminated is reported as a warning with the reason and stays as it is; a
    resource that somebody else holds locked, too.
    """
    chosen = _locked(work, resources)
    candidates = read_candidates(work, chosen)
    waiting = [found for found in candidates if found.waiting_order and not found.is_left_alone]
    asked_for = {found.resource_id for found in waiting}
    others = [found for found in candidates if found.resource_id not in asked_for]
    ordered = approve_waiting(work, waiting) if waiting else 0
    if not others:
        return ordered
    # Newer sites look first whether there is anything to do (spec newer_billing 4.4), those of 2024 afterwards.
    overtaken = [found.resource_id for found in others if not (approves_waiting(work) and found.is_left_alone)]
    _cancel_waiting_orders(work, chosen, overtaken)
    accepted = _accepted(work, others)
    if work.deployment.waldur_api:
        return ordered + _call_api(work, accepted)
    known = people(work, {user for candidate in accepted for user in candidate.wanted_by})
    return ordered + _write(work, [_decide(work, candidate, known) for candidate in accepted])


def _locked(work: Work, resources: Select[tuple[int, str]]) -> Table:
    """The resources whose rows this transaction could lock; without the lock two runs could make two orders."""
    wanted = {row.id: row.comment for row in work.connection.execute(resources)}
    free = set(
        work.connection.scalars(
            select(resource.c.id).where(resource.c.id.in_(list(wanted))).with_for_update(skip_locked=True)
        )
    )
    for missed in sorted(set(wanted) - free):
        work.outcome.warn(f"resource {missed}", "is being changed by somebody else; the next run looks at it again")
    rows = [{"resource_id": found, "comment": wanted[found][:LONGEST_COMMENT]} for found in sorted(free)]
    given = given_rows(rows, resource_id=Integer, comment=Text)
    return temporary_table(work, "to_terminate", select(given.c.resource_id, given.c.comment))


def _cancel_waiting_orders(work: Work, chosen: Table, resource_ids: list[int]) -> None:
    """Orders that wait for the customer are overtaken by the termination."""
    waiting = (
        select(
            order.c.id.label("order_id"),
            literal(int(OrderState.CANCELED)).label("state"),
            chosen.c.comment.label("termination_comment"),
        )
        .join(chosen, chosen.c.resource_id == order.c.resource_id)
        .where(order.c.state == OrderState.PENDING_CONSUMER, order.c.resource_id.in_(resource_ids))
    )
    change_orders(work, waiting.subquery("waiting"), "overtaken_order")


def _accepted(work: Work, candidates: list[Candidate]) -> list[Candidate]:
    """Those whose termination can be ordered now; the others are reported, or are under way already."""
    languages = frozenset(work.settings[LANGUAGES])
    accepted = []
    for candidate in candidates:
        if candidate.executing:
            continue
        if candidate.failed_lately:
            reason: str | None = "could not be terminated less than a day ago; a later run tries again"
        else:
            reason = refusal(candidate, languages)
        if reason is None:
            accepted.append(candidate)
        else:
            work.outcome.warn(candidate.label, reason + _deadlock(candidate, waits=candidate.pending_provider))
    return accepted


def _decide(work: Work, candidate: Candidate, known: dict[int, Person]) -> Decision:
    """Who acts, who approves for the customer, and what the order waits for.

    Older sites let nobody act on what he does not see (spec marketplace 0.7), newer ones ask for the right only.
    """
    offering = candidate.offering
    project, customer = ("project", candidate.project_id), ("customer", candidate.customer_id)
    asked = (known[user] for user in candidate.wanted_by if user in known)
    actor = next(
        (
            person
            for person in asked
            if person.is_active
            and (approves_waiting(work) or person.sees(project, customer))
            and person.may(TERMINATE, project, customer, ("customer", offering.provider))
        ),
        ROBOT,
    )
    waits = consumer_must_approve_termination(actor, offering, candidate.project_id, candidate.customer_id)
    reviewer = ROBOT if waits else actor
    placed_for = candidate.placed_for if actor is ROBOT else None
    return Decision(candidate, actor, reviewer, state_once_approved(work, candidate, reviewer), placed_for)


def _write(work: Work, decisions: list[Decision]) -> int:
    """The orders, in order, with their events, mails and hand-overs."""
    robot = 0
    if any(decision.needs_robot for decision in decisions):
        robot = robot_or_failures(work, [decision.candidate for decision in decisions if decision.needs_robot])
        if not robot:
            decisions = [decision for decision in decisions if not decision.needs_robot]
    if not decisions:
        return 0
    rows = [
        {
            "position": position,
            "resource_id": decision.candidate.resource_id,
            "offering_id": decision.candidate.offering.id,
            "project_id": decision.candidate.project_id,
            "state": decision.state.value,
            "created_by_id": decision.placed_for or decision.actor.id or robot,
            "placed_automatically": int(decision.placed_for is not None),
            "consumer_reviewed_by_id": decision.reviewer.id or robot,
        }
        for position, decision in enumerate(decisions)
    ]
    given = given_rows(rows, **dict.fromkeys(rows[0], Integer))
    made = insert_orders(
        work,
        select(
            *(given.c[name] for name in rows[0] if name not in ("position", "placed_automatically")),
            *_placed(work, given),
            cast(literal(OrderType.TERMINATE.value), Integer).label("type"),
            literal(work.as_of).label("consumer_reviewed_at"),
        ).order_by(given.c.position),
    )
    actor = Actor(made.c.created_by_id)
    message = text_from("The end of resource {name} was requested.", name=resource.c.name)
    log_resource_events(work, made, event_type="marketplace_resource_terminate_requested", message=message, actor=actor)
    executing = _in_state(made, OrderState.EXECUTING, "executing")
    approved = text_from("The order for resource {name} was approved.", name=resource.c.name)
    log_order_events(
        work,
        executing,
        event_type="marketplace_order_approved",
        message=approved,
        actor=Actor(executing.c.created_by_id),
    )
    hand_over(work, executing)
    tell_providers(work, _in_state(made, OrderState.PENDING_PROVIDER, "pending_provider"))
    for decision in decisions:
        if deadlock := _deadlock(decision.candidate, waits=decision.state == OrderState.PENDING_PROVIDER):
            work.outcome.warn(decision.candidate.label, f"has a new terminate order{deadlock}")
    return len(decisions)


def _placed(work: Work, given: FromClause) -> list[ColumnElement[bool]]:
    """Newer sites keep whether an order was placed for somebody."""
    if not work.schema.has_column(order.c.placed_automatically):
        return []
    return [(given.c.placed_automatically == 1).label("placed_automatically")]


def _in_state(made: Table, state: OrderState, name: str) -> FromClause:
    return select(made).where(made.c.state == state).subquery(name)


def _deadlock(candidate: Candidate, *, waits: bool) -> str:
    """Waldur lets nobody approve an order of a project that is over (spec marketplace 0.7)."""
    if not (waits and candidate.project_over):
        return ""
    return (
        "; it waits for the provider, but Waldur refuses approvals while the project's end date has passed: "
        "set a later end date and approve it, or terminate the resource as staff"
    )


def _call_api(work: Work, accepted: list[Candidate]) -> int:
    """One call a day for a resource; none while an earlier one still waits."""
    prefix = "terminate resource "
    waiting = {key.split()[2] for key in waiting_keys(work, prefix)}

    def calls() -> Iterator[ApiCall]:
        for candidate in accepted:
            uuid = candidate.resource_uuid.hex
            if uuid not in waiting:
                yield ApiCall(key=f"{prefix}{uuid} {work.today}", path=f"/api/marketplace-resources/{uuid}/terminate/")

    return put(work, calls())
