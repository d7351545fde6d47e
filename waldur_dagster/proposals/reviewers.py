"""The jobs create-reviews-if-strategy-is-after-proposal and -after-round: reviewers for proposals (spec people 0.7)."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Integer, any_, cast, func, literal, select, update

from waldur_dagster.platform.roles import holders
from waldur_dagster.schema import core, proposal
from waldur_dagster.temporary import Spool
from waldur_dagster.work import Work

REVIEWER = "CALL.REVIEWER"
REJECTED = "rejected"
OPEN_TO_REVIEW = ("submitted", "in_review")
call, round_, proposed, review = proposal.call, proposal.round, proposal.proposal, proposal.review
needed_by_round = func.coalesce(round_.c.minimum_number_of_reviewers, 0)


def assign_to_submitted(work: Work) -> int:
    """Give proposals of rounds whose strategy is ``after_proposal`` the reviewers they lack; see ``_assign``.

    Whatever the dates of the round. Returns the number of new reviews.
    """
    return _assign(work, round_.c.review_strategy == "after_proposal")


def assign_after_rounds(work: Work) -> int:
    """Give proposals of rounds whose strategy is ``after_round`` reviewers, once the instant of the cutoff has passed.

    Open rounds are left alone, and so are drafts. Returns the number of new reviews.
    """
    return _assign(work, (round_.c.review_strategy == "after_round") & (round_.c.cutoff_time < work.as_of))


@dataclass
class _Pool:
    """The reviewers of a call: how many reviews each has that he did not reject, the least loaded first."""

    loads: list[tuple[int, int]]  # a heap of (reviews, id of the user)

    def take(self, needed: int, asked: set[int]) -> list[int]:
        """As many as are needed, the least loaded and of these the lowest ids, without those who were ``asked``."""
        taken: list[int] = []
        seen: list[tuple[int, int]] = []
        while self.loads and len(taken) < needed:
            load, user = heapq.heappop(self.loads)
            if user not in asked:
                taken.append(user)
                load += 1
            seen.append((load, user))
        for entry in seen:
            heapq.heappush(self.loads, entry)
        return taken


def _assign(work: Work, strategy: ColumnElement[bool]) -> int:
    """Reviewers for the proposals of a strategy, of active calls, by round and proposal; each goes under review.

    Nobody is asked twice, not even who has rejected. A round without a minimum needs nobody: its proposals go under
    review all the same. A proposal that somebody else is writing is left to the next run.
    """
    if not work.schema.has_column(round_.c.review_strategy):
        work.outcome.warn("rounds", "this site's schema keeps no strategy of reviews; nobody is assigned")
        return 0
    due = work.connection.execute(_due(strategy)).all()
    if not due:
        return 0
    given, asked = _reviews_of(work, [row.id for row in due])
    pools = _pools(work, {row.call_id for row in due})
    with Spool(work, "assignment", proposal_id=Integer, reviewer_id=Integer) as assigned:
        for row in due:
            for user in pools[row.call_id].take(row.needed - given[row.id], asked[row.id]):
                assigned.add(proposal_id=row.id, reviewer_id=user)
        served = assigned.loaded() if len(assigned) else None
        if served is not None:
            _insert(work, served)
        _put_under_review(work, served, [row.id for row in due if row.state != "in_review"])
        return len(assigned)


def _due(strategy: ColumnElement[bool]) -> Any:
    """(id, state, call_id, needed) of the proposals that lack reviewers or are not under review yet; locked."""
    kept = select(func.count()).where(review.c.proposal_id == proposed.c.id, review.c.state != REJECTED)
    return (
        select(proposed.c.id, proposed.c.state, round_.c.call_id, needed_by_round.label("needed"))
        .join(round_, round_.c.id == proposed.c.round_id)
        .join(call, call.c.id == round_.c.call_id)
        .where(
            strategy,
            call.c.state == "active",
            proposed.c.state.in_(OPEN_TO_REVIEW),
            (proposed.c.state == "submitted") | (kept.scalar_subquery() < needed_by_round),
        )
        .order_by(round_.c.id, proposed.c.id)
        .with_for_update(of=proposed, skip_locked=True)
    )


def _reviews_of(work: Work, proposals: Sequence[int]) -> tuple[Mapping[int, int], Mapping[int, set[int]]]:
    """By proposal: how many reviews count, and who was asked for one. Read once the proposals are locked."""
    given: defaultdict[int, int] = defaultdict(int)
    asked: defaultdict[int, set[int]] = defaultdict(set)
    found = select(review.c.proposal_id, review.c.reviewer_id, review.c.state).where(
        review.c.proposal_id == any_(cast(literal(list(proposals), ARRAY(Integer)), ARRAY(Integer)))
    )
    for row in work.connection.execute(found):
        given[row.proposal_id] += row.state != REJECTED
        asked[row.proposal_id].add(row.reviewer_id)
    return given, asked


def _pools(work: Work, calls: set[int]) -> Mapping[int, _Pool]:
    """The active reviewers of each call with their load on the call's proposals, of all rounds and states."""
    held = holders(work, "proposal", "call", (REVIEWER,)).subquery("held")
    load = (
        select(round_.c.call_id, review.c.reviewer_id, func.count().label("reviews"))
        .join(proposed, proposed.c.id == review.c.proposal_id)
        .join(round_, round_.c.id == proposed.c.round_id)
        .where(round_.c.call_id.in_(calls), review.c.state != REJECTED)
        .group_by(round_.c.call_id, review.c.reviewer_id)
        .subquery("load")
    )
    found = (
        select(held.c.scope_id, held.c.user_id, func.coalesce(load.c.reviews, 0).label("reviews"))
        .join(core.user, core.user.c.id == held.c.user_id)
        .outerjoin(load, (load.c.call_id == held.c.scope_id) & (load.c.reviewer_id == held.c.user_id))
        .where(held.c.scope_id.in_(calls), core.user.c.is_active)
    )
    pools: defaultdict[int, _Pool] = defaultdict(lambda: _Pool([]))
    for row in work.connection.execute(found):
        heapq.heappush(pools[row.scope_id].loads, (row.reviews, row.user_id))
    return pools


def _insert(work: Work, served: Any) -> None:
    source = select(
        func.gen_random_uuid().label("uuid"),
        literal(work.as_of).label("created"),
        literal(work.as_of).label("modified"),
        literal("created").label("state"),
        served.c.proposal_id,
        served.c.reviewer_id,
        literal(0).label("summary_score"),
        literal("").label("summary_public_comment"),
        literal("").label("summary_private_comment"),
    ).order_by(served.c.position)
    work.execute(work.insert_from(review, source))


def _put_under_review(work: Work, served: Any, others: Sequence[int]) -> None:
    """The state of those that were submitted; that somebody else has decided on meanwhile stays as it is."""
    changed = proposed.c.id == any_(cast(literal(list(others), ARRAY(Integer)), ARRAY(Integer)))
    if served is not None:
        changed |= proposed.c.id.in_(select(served.c.proposal_id))
    if served is not None or others:
        work.execute(
            update(proposed)
            .where(proposed.c.state.in_(OPEN_TO_REVIEW), changed)
            .values(state="in_review", modified=work.as_of)
        )
