"""A call for proposals of the demo site: proposals to be reviewed, late reviews, and drafts whose round is over."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from sqlalchemy import Engine

from waldur_dagster.demo.rows import Rows
from waldur_dagster.proposals.ended_rounds import CANCELLED
from waldur_dagster.proposals.reviewers import REVIEWER
from waldur_dagster.schema import core, permissions, proposal, structure

SEED = 20250411
REVIEWERS = ("Kaja", "Henrik", "Marta")
# Names of proposals, with their state.
OPEN = (("Ice cores", "submitted"), ("Old Norse corpus", "submitted"), ("Coral genomes", "in_review"))
ENDED = (("Tidal power", "draft"), ("River silt", "draft"), ("Quiet skies", "submitted"))
A_DAY = timedelta(days=1)


def add_call(engine: Engine, now: datetime) -> None:
    """Give a demo site a call with a round that is open and reviewed at once, and one that has ended.

    Newer versions of Waldur keep no strategy of reviews; there nobody is assigned.
    """
    with engine.begin() as connection:
        rows = Rows(connection, Random(SEED), now - timedelta(days=200))  # noqa: S311  the same every time
        project = rows.first(structure.project)
        rows.notification(CANCELLED)
        rows.content_type("proposal", "proposal")
        office = rows.add(proposal.callmanagingorganisation, customer_id=project.customer_id)
        call = rows.add(proposal.call, name="Computing for research", manager_id=office, state="active")
        kind = rows.content_type("proposal", "call")
        role = rows.add(permissions.role, name=REVIEWER, is_system_role=True, is_active=True, content_type_id=kind)
        held = {"role_id": role, "content_type_id": kind, "object_id": call, "is_active": True}
        reviewers = [_person(rows, name) for name in REVIEWERS]
        for reviewer in reviewers:
            rows.add(permissions.userrole, user_id=reviewer, **held)
        author = rows.first(core.user).id

        def proposals(cutoff: datetime, strategy: str, named: tuple[tuple[str, str], ...]) -> list[int]:
            round_ = rows.add(
                proposal.round,
                call_id=call,
                start_time=cutoff - 60 * A_DAY,
                cutoff_time=cutoff,
                review_duration_in_days=14,
                minimum_number_of_reviewers=2,
                review_strategy=strategy,
            )
            facts = {"round_id": round_, "project_id": project.id, "created_by_id": author}
            return [rows.add(proposal.proposal, name=name, state=state, **facts) for name, state in named]

        *_, reviewed = proposals(now + 30 * A_DAY, "after_proposal", OPEN)
        proposals(now - A_DAY, "after_round", ENDED)
        for reviewer, days in zip(reviewers, (20, 3), strict=False):
            rows.add(
                proposal.review,
                proposal_id=reviewed,
                reviewer_id=reviewer,
                state="in_review",
                created=now - days * A_DAY,
            )


def _person(rows: Rows, name: str) -> int:
    return rows.add(
        core.user,
        username=name.lower(),
        first_name=name,
        last_name="Reviewer",
        email=f"{name.lower()}@example.org",
        is_active=True,
        notifications_enabled=True,
    )
