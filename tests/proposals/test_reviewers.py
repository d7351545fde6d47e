"""Who reviews which proposal: nobody twice, the least loaded first, as many as the round wants (spec people 0.7)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.proposals.scenes import DAY, NOON, Calls
from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.outcome import Outcome
from waldur_dagster.proposals.reviewers import assign_after_rounds, assign_to_submitted
from waldur_dagster.schema import permissions, proposal
from waldur_dagster.site import Site
from waldur_dagster.work import Work

AFTER_PROPOSAL, AFTER_ROUND = (
    "create-reviews-if-strategy-is-after-proposal",
    "create-reviews-if-strategy-is-after-round",
)


def assign(scene: Scene, entry: str = AFTER_PROPOSAL) -> Outcome:
    with scene.site() as site, site.work(entry, NOON) as work:
        (assign_to_submitted if entry == AFTER_PROPOSAL else assign_after_rounds)(work)
    return work.outcome


def reviewers_of(scene: Scene, proposed: int) -> list[int]:
    return [row.reviewer_id for row in scene.rows(proposal.review, proposal_id=proposed)]


def state_of(scene: Scene, proposed: int) -> tuple[str, bool]:
    """The state, and whether the row was changed."""
    row = scene.one(proposal.proposal, id=proposed)
    return row.state, row.modified == NOON


def test_loads_count_every_round_of_the_call_and_what_this_run_has_given(scene: Scene) -> None:
    calls = Calls(scene)
    busy, idle, other = (calls.reviewer() for _ in range(3))
    old = calls.proposal(calls.round(strategy="after_round"), "accepted")
    for user, state in ((busy, "submitted"), (busy, "created"), (idle, "rejected"), (other, "submitted")):
        calls.review(old, user, state)
    round_ = calls.round(1)
    first, second, third, fourth = (calls.proposal(round_) for _ in range(4))
    assign(scene)
    assert [reviewers_of(scene, one) for one in (first, second, third, fourth)] == [[idle], [idle], [other], [busy]]


def test_of_those_with_the_same_load_the_lowest_ids_are_asked(scene: Scene) -> None:
    calls = Calls(scene)
    users = [calls.reviewer() for _ in range(4)]
    round_ = calls.round(2)
    made = [calls.proposal(round_) for _ in range(2)]
    assign(scene)
    assert [reviewers_of(scene, one) for one in made] == [users[:2], users[2:]]


def test_nobody_is_asked_twice_and_rejections_are_replaced(scene: Scene) -> None:
    calls = Calls(scene)
    gone, stays, fresh, spare = (calls.reviewer() for _ in range(4))
    proposed = calls.proposal(calls.round(2), "in_review")
    calls.review(proposed, gone, "rejected")
    calls.review(proposed, stays, "in_review")
    assign(scene)
    assert reviewers_of(scene, proposed) == [gone, stays, fresh]
    assert state_of(scene, proposed) == ("in_review", True)
    assert not assign(scene).rows
    assert spare not in reviewers_of(scene, proposed)


def test_only_active_people_with_the_role_in_force_on_this_call_are_asked(scene: Scene) -> None:
    calls, other = Calls(scene), Calls(scene)
    calls.reviewer(is_active=False)
    past = calls.reviewer()
    for user, active in ((calls.reviewer(), None), (calls.reviewer(), False)):
        (row,) = scene.rows(permissions.userrole, user_id=user)
        with scene.engine.begin() as connection:
            connection.execute(
                permissions.userrole.update().where(permissions.userrole.c.id == row.id).values(is_active=active)
            )
    (row,) = scene.rows(permissions.userrole, user_id=past)
    with scene.engine.begin() as connection:
        connection.execute(permissions.userrole.update().values(expiration_time=NOON - DAY))
    other.reviewer()
    scene.role(scene.user("m@example.org"), "CALL.MANAGER", "call", calls.call)
    proposed = calls.proposal(calls.round(5))
    assign(scene)
    assert reviewers_of(scene, proposed) == [past]


def test_a_round_without_a_minimum_and_a_call_without_reviewers_let_proposals_go_under_review(scene: Scene) -> None:
    calls = Calls(scene)
    nobody, enough = calls.proposal(calls.round(3)), calls.proposal(calls.round(None))
    draft = calls.proposal(calls.round(1), "draft")
    assign(scene)
    assert [state_of(scene, one) for one in (nobody, enough, draft)] == [
        ("in_review", True),
        ("in_review", True),
        ("draft", False),
    ]
    assert scene.rows(proposal.review) == []
    assert not assign(scene).rows


def test_more_reviews_than_the_minimum_ask_nobody_and_stop_nobody(scene: Scene) -> None:
    calls = Calls(scene)
    users = [calls.reviewer() for _ in range(3)]
    full = calls.proposal(calls.round(1))
    for user in users[:2]:
        calls.review(full, user)
    other = calls.proposal(calls.round(1))
    assign(scene)
    assert reviewers_of(scene, full) == users[:2] and reviewers_of(scene, other) == [users[2]]
    assert state_of(scene, full) == ("in_review", True)


@pytest.mark.parametrize("call_state", ["draft", "archived"])
def test_calls_that_are_not_active_are_left_alone(scene: Scene, call_state: str) -> None:
    calls = Calls(scene, call_state)
    calls.reviewer()
    proposed = calls.proposal(calls.round(1))
    assign(scene)
    assert state_of(scene, proposed) == ("submitted", False)


def test_each_job_serves_its_own_strategy_and_rounds_only_after_their_cutoff(scene: Scene) -> None:
    calls = Calls(scene)
    user = calls.reviewer()
    at_once = calls.proposal(calls.round(1, NOON - DAY))
    cutoffs = (NOON - DAY, NOON, NOON + DAY)
    closed, just, still_open = (calls.proposal(calls.round(1, cutoff, "after_round")) for cutoff in cutoffs)
    draft = calls.proposal(scene.one(proposal.proposal, id=closed).round_id, "draft")
    assign(scene, AFTER_ROUND)
    assert [reviewers_of(scene, one) for one in (at_once, closed, just, still_open)] == [[], [user], [], []]
    assert state_of(scene, draft) == ("draft", False)
    assign(scene)
    assert reviewers_of(scene, at_once) == [user]


def test_a_proposal_that_somebody_is_writing_waits_for_the_next_run(scene: Scene) -> None:
    calls = Calls(scene)
    calls.reviewer()
    locked, free = (calls.proposal(calls.round(1)) for _ in range(2))
    table = proposal.proposal
    with scene.engine.begin() as office:
        office.execute(table.update().where(table.c.id == locked).values(state="accepted"))
        assign(scene)
    assert state_of(scene, locked) == ("accepted", False)
    assert (reviewers_of(scene, locked), len(reviewers_of(scene, free))) == ([], 1)


def _statements(scene: Scene, site: Site, proposals: int) -> int:
    for _ in range(proposals):
        calls = Calls(scene)
        for _ in range(3):
            calls.reviewer()
        calls.proposal(calls.round(2))
    with site.work(AFTER_PROPOSAL, NOON) as work, counted(work.connection) as statements:
        assert assign_to_submitted(work) == 2 * proposals
    return len(statements)


def test_statements_do_not_grow_with_proposals_and_a_run_without_work_asks_once(scene: Scene) -> None:
    with scene.site() as site:
        assert _statements(scene, site, 2) == _statements(scene, site, 20)
        with site.work(AFTER_PROPOSAL, NOON) as work, counted(work.connection) as statements:
            assign_to_submitted(work)
        assert len(statements) == 1


@pytest.mark.generation("8")
@pytest.mark.parametrize("job", [assign_to_submitted, assign_after_rounds], ids=lambda job: job.__name__)
def test_newer_rounds_keep_no_strategy_and_nobody_is_assigned(scene: Scene, job: Callable[[Work], int]) -> None:
    calls = Calls(scene)
    calls.reviewer()
    calls.proposal(calls.round(1, NOON - DAY))
    with scene.site() as site, site.work(AFTER_PROPOSAL, NOON) as work:
        assert job(work) == 0
    assert scene.rows(proposal.review) == [] and len(work.outcome.warnings) == 1
