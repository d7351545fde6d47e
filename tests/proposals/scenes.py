"""Calls for proposals on a small site."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.scene import Scene
from waldur_dagster.schema import django, proposal

NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Calls:
    """A call with its office; makes rounds, proposals, reviewers and reviews."""

    def __init__(self, scene: Scene, state: str = "active"):
        self.scene = scene
        for model in ("call", "proposal"):
            if not scene.rows(django.content_type, app_label="proposal", model=model):
                scene.add(django.content_type, app_label="proposal", model=model)
        self.customer = scene.customer("Office")
        self.project = scene.project(self.customer)
        office = scene.add(proposal.callmanagingorganisation, customer_id=self.customer)
        self.call = scene.add(proposal.call, name="Call {2025}", manager_id=office, state=state)

    def round(
        self, minimum: int | None = 2, cutoff: datetime = NOON + DAY, strategy: str = "after_proposal", **values: Any
    ) -> int:
        facts = {"start_time": cutoff - 30 * DAY, "cutoff_time": cutoff, "review_duration_in_days": 14}
        newer = self.scene.schema.has("proposal_round", "review_strategy")
        if newer:
            facts |= {"minimum_number_of_reviewers": minimum, "review_strategy": strategy}
        return self.scene.add(proposal.round, call_id=self.call, **facts | values)

    def proposal(self, round_: int, state: str = "submitted", **values: Any) -> int:
        facts = {"name": "Solver {beta}", "project_id": self.project, "modified": NOON - DAY}
        return self.scene.add(proposal.proposal, round_id=round_, state=state, **facts | values)

    def reviewer(self, **values: Any) -> int:
        user = self.scene.user("reviewer@example.org", **values)
        self.scene.role(user, "CALL.REVIEWER", "call", self.call)
        return user

    def review(self, proposed: int, reviewer: int, state: str = "created", **values: Any) -> int:
        facts = {"created": NOON - DAY, "modified": NOON - DAY} | values
        return self.scene.add(proposal.review, proposal_id=proposed, reviewer_id=reviewer, state=state, **facts)
