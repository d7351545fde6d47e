"""The job proposals-for-ended-rounds-should-be-cancelled (spec people)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from sqlalchemy import Table, select, update

from waldur_dagster.outbox import put
from waldur_dagster.platform.contexts import full_name, named_context
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import text_from
from waldur_dagster.platform.mail import Letter, is_enabled, notification_mails
from waldur_dagster.proposals.offices import office_feed, proposals_with_offices
from waldur_dagster.schema import core, proposal
from waldur_dagster.temporary import temporary_returned
from waldur_dagster.work import Work

NEVER_SUBMITTED = ("draft", "team_verification")
CANCELLED = "proposal.proposal_cancelled"
proposed, round_, call = proposal.proposal, proposal.round, proposal.call


def cancel_unsubmitted_proposals(work: Work) -> int:
    """Cancel what was never submitted in rounds whose cutoff has passed, in every call and strategy.

    What was submitted stays, sent back for revision or not: the office decides about it. The log of the office's
    organization shows an event for each; on sites that have the notification, newer ones, who made the proposal is
    mailed. Returns the number of proposals.
    """
    cancelled = temporary_returned(
        work,
        "cancelled_proposal",
        update(proposed)
        .where(
            proposed.c.state.in_(NEVER_SUBMITTED), round_.c.id == proposed.c.round_id, round_.c.cutoff_time < work.as_of
        )
        .values(state="canceled", modified=work.as_of)
        .returning(proposed.c.id),
    )
    count = log_events(
        work,
        select(
            text_from("proposal_canceled").label("event_type"),
            text_from("Proposal {name} has been canceled.", name=proposed.c.name).label("message"),
            named_context(proposed, "proposal").label("context"),
            office_feed(work).label("feeds"),
        )
        .select_from(cancelled.join(proposals_with_offices, proposed.c.id == cancelled.c.id))
        .order_by(proposed.c.id),
    )
    if count and is_enabled(work, CANCELLED):
        put(work, notification_mails(work, CANCELLED, _letters(work, cancelled)))
    return count


def _letters(work: Work, cancelled: Table) -> Iterator[Letter]:
    """To everybody who made one and has an address; whether he wants notifications is not asked."""
    author = core.user
    told = (
        select(
            proposed.c.uuid,
            proposed.c.name,
            call.c.name.label("call_name"),
            author.c.email,
            full_name(author).label("author"),
        )
        .select_from(cancelled.join(proposals_with_offices, proposed.c.id == cancelled.c.id))
        .join(author, author.c.id == proposed.c.created_by_id)
        .where(author.c.email != "")
        .order_by(proposed.c.id)
    )
    for row in work.connection.execute(told).all():
        facts = {
            "site_name": work.constance["SITE_NAME"],
            "proposal_name": row.name,
            "call_name": row.call_name,
            "cancellation_date": f"{work.as_of.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
            "proposal_creator_name": row.author or "Unknown",
            "proposal_url": f"{work.settings['WALDUR_CORE.HOMEPORT_URL']}proposals/{row.uuid.hex}/",
        }
        yield Letter(f"proposal cancelled {row.uuid.hex} {work.as_of.isoformat()}", row.email, facts)
