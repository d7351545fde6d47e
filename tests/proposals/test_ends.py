"""Reviews that are late, and proposals that were never submitted (spec people)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

from tests.proposals.scenes import DAY, NOON, Calls
from tests.scene import Scene
from tests.statements import counted
from tests.texts.storage import keep
from waldur_dagster.outbox.tables import message
from waldur_dagster.outcome import Outcome
from waldur_dagster.proposals.ended_rounds import cancel_unsubmitted_proposals
from waldur_dagster.proposals.expired_reviews import cancel_expired_reviews
from waldur_dagster.schema import core, logging, proposal
from waldur_dagster.work import Work

REVIEWS, PROPOSALS = "expired-reviews-should-be-cancelled", "proposals-for-ended-rounds-should-be-cancelled"
MICROSECOND = timedelta(microseconds=1)


def expire(scene: Scene) -> Outcome:
    with scene.site() as site, site.work(REVIEWS, NOON) as work:
        cancel_expired_reviews(work)
    return work.outcome


def cancel(scene: Scene) -> Outcome:
    with scene.site() as site, site.work(PROPOSALS, NOON) as work:
        cancel_unsubmitted_proposals(work)
    return work.outcome


@pytest.mark.generation("8")
@pytest.mark.parametrize("late", [True, False])
def test_a_review_expires_exactly_so_many_days_after_it_was_made(scene: Scene, late: bool) -> None:
    calls = Calls(scene)
    created = NOON - 14 * DAY + (0 if late else 1) * MICROSECOND
    made = calls.review(calls.proposal(calls.round()), calls.reviewer(), "in_review", created=created)
    expire(scene)
    assert scene.one(proposal.review, id=made).state == ("rejected" if late else "in_review")


@pytest.mark.generation("8")
def test_newer_reviews_that_were_not_begun_never_expire(scene: Scene) -> None:
    calls = Calls(scene)
    reviewer, round_ = calls.reviewer(), calls.round(review_duration_in_days=1)
    for state in ("created", "in_review", "submitted"):
        calls.review(calls.proposal(round_), reviewer, state, created=NOON - 99 * DAY)
    expire(scene)
    assert [row.state for row in scene.rows(proposal.review)] == ["created", "rejected", "submitted"]
    assert len(scene.rows(logging.event)) == 1


def test_open_reviews_expire_and_the_office_reads_of_each(scene: Scene) -> None:
    calls = Calls(scene, "archived")
    reviewer, round_ = calls.reviewer(), calls.round(review_duration_in_days=1)
    states = ("created", "in_review", "submitted", "rejected")
    made = {
        state: calls.review(calls.proposal(round_, "accepted"), reviewer, state, created=NOON - 2 * DAY)
        for state in states
    }
    expire(scene)
    changed = {state for state in states if scene.one(proposal.review, id=made[state]).modified == NOON}
    assert changed == {"created", "in_review"}
    events = scene.rows(logging.event)
    assert [event.message for event in events] == ["Review for Solver {beta} has been canceled."] * 2
    assert [event.context for event in events] == [
        {"review": f"Review object ({made[state]})"} for state in ("created", "in_review")
    ]
    assert {(feed.content_type_id, feed.object_id) for feed in scene.rows(logging.feed)} == {(1, calls.customer)}
    assert not expire(scene).rows


@pytest.mark.parametrize("days", [None, 0, 2_000_000_000])
def test_a_review_without_an_end_stays_and_stops_nobody(scene: Scene, days: int | None) -> None:
    calls = Calls(scene)
    reviewer = calls.reviewer()
    endless = calls.review(
        calls.proposal(calls.round(review_duration_in_days=days)), reviewer, created=NOON - 999 * DAY
    )
    late = calls.review(calls.proposal(calls.round()), reviewer, created=NOON - 999 * DAY)
    expire(scene)
    assert [scene.one(proposal.review, id=one).state for one in (endless, late)] == ["created", "rejected"]


def test_what_was_never_submitted_in_an_ended_round_is_cancelled_in_every_call_and_strategy(scene: Scene) -> None:
    made: dict[tuple[str, str, datetime], int] = {}
    for state in ("draft", "archived"):
        calls = Calls(scene, state)
        made |= {
            (state, strategy, cutoff): calls.proposal(calls.round(cutoff=cutoff, strategy=strategy), "draft")
            for strategy in ("after_round", "after_proposal")
            for cutoff in (NOON - MICROSECOND, NOON)
        }
    cancel(scene)
    cancelled = {key for key, one in made.items() if scene.one(proposal.proposal, id=one).state == "canceled"}
    assert cancelled == {key for key in made if key[2] < NOON}


def test_what_was_submitted_is_the_office_s_to_decide(scene: Scene) -> None:
    calls = Calls(scene)
    round_ = calls.round(cutoff=NOON - DAY)
    states = (
        *("draft", "team_verification", "submitted", "in_review", "in_revision", "accepted", "rejected", "canceled"),
    )
    for state in states:
        calls.proposal(round_, state, name=f"{state} {{x}}")
    done = cancel(scene)
    changed = {row.name for row in scene.rows(proposal.proposal) if row.modified == NOON}
    assert changed == {"draft {x}", "team_verification {x}"}
    events = scene.rows(logging.event)
    assert [event.message for event in events] == [f"Proposal {name} has been canceled." for name in sorted(changed)]
    assert all(set(event.context) == {"proposal_uuid", "proposal_name"} for event in events)
    assert {(feed.content_type_id, feed.object_id) for feed in scene.rows(logging.feed)} == {(1, calls.customer)}
    assert done.rows["proposal_proposal"]["updated"] == 2
    assert not cancel(scene).rows


@pytest.mark.generation("8")
def test_newer_drafts_of_ended_rounds_are_cancelled_and_what_was_submitted_stays(scene: Scene) -> None:
    calls = Calls(scene)
    ended, still_open = calls.round(cutoff=NOON - MICROSECOND), calls.round(cutoff=NOON)
    for state in ("draft", "submitted", "in_review", "accepted", "rejected", "canceled"):
        calls.proposal(ended, state, name=state)
    calls.proposal(still_open, "draft", name="open")
    cancel(scene)
    assert [row.name for row in scene.rows(proposal.proposal) if row.modified == NOON] == ["draft"]
    assert len(scene.rows(logging.event, event_type="proposal_canceled")) == 1


@pytest.mark.generation("8")
@pytest.mark.parametrize("known", [True, False])
def test_sites_with_the_notification_mail_who_made_the_proposal(scene: Scene, known: bool) -> None:
    calls = Calls(scene)
    if known:
        scene.add(core.notification, key="proposal.proposal_cancelled", enabled=True)
    round_ = calls.round(cutoff=NOON - DAY)
    names = {"first_name": "Ada", "last_name": "L", "notifications_enabled": False}
    authors = (scene.user("ada@example.org", **names), scene.user("nameless@example.org"), scene.user(""), None)
    for author in authors:
        calls.proposal(round_, "draft", created_by_id=author)
    cancel(scene)
    mails = [row.payload for row in scene.rows(message, kind="mail")]
    assert [mail["to"] for mail in mails] == ([["ada@example.org"], ["nameless@example.org"]] if known else [])
    if known:
        uuid = scene.rows(proposal.proposal)[0].uuid.hex
        for text in ("Ada L", "Solver {beta}", "Call {2025}", "2025-03-10 12:00:00 UTC", f"proposals/{uuid}/"):
            assert text in mails[0]["body"]
        assert "Unknown" in mails[1]["body"]


@pytest.mark.generation("8")
def test_the_date_in_a_mail_is_written_as_in_waldur(scene: Scene) -> None:
    calls = Calls(scene)
    scene.add(core.notification, key="proposal.proposal_cancelled", enabled=True)
    keep(scene, "8", {"proposal/proposal_cancelled_subject.txt": "On {{ cancellation_date }}"})
    calls.proposal(calls.round(cutoff=NOON - DAY), "draft", created_by_id=scene.user("ada@example.org"))
    in_tallinn = NOON.astimezone(timezone(timedelta(hours=2)))
    with scene.site() as site, site.work(PROPOSALS, in_tallinn) as work:
        cancel_unsubmitted_proposals(work)
    assert [row.payload["subject"] for row in scene.rows(message, kind="mail")] == ["On 2025-03-10 12:00:00"]


@pytest.mark.parametrize("job", [cancel_expired_reviews, cancel_unsubmitted_proposals], ids=lambda job: job.__name__)
def test_statements_do_not_grow_with_rows(scene: Scene, job: Callable[[Work], int]) -> None:
    figures = []
    for number in (2, 20):
        calls = Calls(scene)
        reviewer, round_ = calls.reviewer(), calls.round(cutoff=NOON - DAY)
        for _ in range(number):
            calls.review(calls.proposal(round_, "draft"), reviewer, created=NOON - 99 * DAY)
        with scene.site() as site, site.work("entry", NOON) as work, counted(work.connection) as statements:
            assert job(work) == number
        figures.append(len(statements))
    assert figures[0] == figures[1]
