"""The job expired-reviews-should-be-cancelled (spec people)."""

from __future__ import annotations

from sqlalchemy import BigInteger, cast, extract, literal, select, update

from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import json_object, text_from
from waldur_dagster.proposals.offices import office_feed, proposals_with_offices
from waldur_dagster.schema import proposal
from waldur_dagster.temporary import temporary_returned
from waldur_dagster.work import Work

A_DAY = 24 * 3600
review, proposed, round_ = proposal.review, proposal.proposal, proposal.round


def cancel_expired_reviews(work: Work) -> int:
    """Reject open reviews whose days are over: those of the round, each of 24 hours, from the review's own beginning.

    In rounds without a duration, or with 0 days, reviews never expire. Calls and proposals of every state count. The
    log of the office's organization shows an event for each. Returns the number of reviews.
    """
    age = extract("epoch", literal(work.as_of) - review.c.created)
    expired = temporary_returned(
        work,
        "expired_review",
        update(review)
        .where(
            review.c.state.in_(_open(work)),
            proposed.c.id == review.c.proposal_id,
            round_.c.id == proposed.c.round_id,
            round_.c.review_duration_in_days > 0,
            age >= A_DAY * cast(round_.c.review_duration_in_days, BigInteger),
        )
        .values(state="rejected", modified=work.as_of)
        .returning(review.c.id, review.c.proposal_id),
    )
    return log_events(
        work,
        select(
            text_from("review_canceled").label("event_type"),
            text_from("Review for {name} has been canceled.", name=proposed.c.name).label("message"),
            json_object(review=text_from("Review object ({id})", id=expired.c.id)).label("context"),
            office_feed(work).label("feeds"),
        )
        .select_from(expired.join(proposals_with_offices, proposed.c.id == expired.c.proposal_id))
        .order_by(expired.c.id),
    )


def _open(work: Work) -> tuple[str, ...]:
    """The states of reviews that expire; newer sites, whose rounds keep no strategy, leave what was not begun."""
    return ("created", "in_review") if work.schema.has_column(round_.c.review_strategy) else ("in_review",)
