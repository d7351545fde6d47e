"""How long reviewers for many proposals and accounts for many members take, stage by stage.

``python -m benchmarks.people`` makes, on an embedded server, calls with 100,000 proposals, and 50,000 projects of three
members each. Each job runs twice: everything has to be written first, and nothing then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import typer
from rich.console import Console
from sqlalchemy import Engine

from benchmarks import runner
from benchmarks.recorder import Recorder, Stage
from benchmarks.runner import DirectoryOption, StatementsOption, Tell
from benchmarks.site import MONTH, Filler, Size, tidy
from waldur_dagster.outbox.migrate import migrate
from waldur_dagster.proposals.ended_rounds import cancel_unsubmitted_proposals
from waldur_dagster.proposals.expired_reviews import cancel_expired_reviews
from waldur_dagster.proposals.reviewers import REVIEWER, assign_after_rounds, assign_to_submitted
from waldur_dagster.schema import core, django, marketplace, permissions, proposal, structure
from waldur_dagster.schema.generations import Generation, create_tables
from waldur_dagster.site import Site
from waldur_dagster.site_agents.offering_users import FLAG, create_missing_accounts
from waldur_dagster.work import Work

NOW = MONTH.previous.end
CALLS, REVIEWERS, OFFERINGS, MEMBERS = 100, 40, 10, 3
LATE = timedelta(days=15)  # by then every review that was made now has expired
MOST_SECONDS = 60.0

# Name, instant, what it does; in this order each finds something to do.
JOBS: tuple[tuple[str, datetime, Callable[[Work], int]], ...] = (
    ("create-reviews-if-strategy-is-after-proposal", NOW, assign_to_submitted),
    ("create-reviews-if-strategy-is-after-round", NOW, assign_after_rounds),
    ("proposals-for-ended-rounds-should-be-cancelled", NOW, cancel_unsubmitted_proposals),
    ("expired-reviews-should-be-cancelled", NOW + LATE, cancel_expired_reviews),
    ("waldur-create-offering-users-for-site-agent-offerings", NOW, create_missing_accounts),
)


@dataclass
class Figures:
    """The stages when all has to be written, and when nothing has."""

    first: list[Stage] = field(default_factory=list)
    again: list[Stage] = field(default_factory=list)

    def misses(self) -> list[str]:
        """The targets that this run missed; they are meant for the site of the default size."""
        return runner.missed((f"seconds for {stage.name}", stage.seconds, MOST_SECONDS) for stage in self.first)


def measure(engine: Engine, proposals: int, projects: int, progress: Tell = print) -> Figures:
    """Make a site in an empty database and let each job run twice."""
    progress("site")
    with engine.begin() as connection:
        create_tables(connection, Generation.OCTOBER_2024)
    migrate(engine)
    with engine.begin() as connection:
        fill = Filler(connection, Size())
        _people(fill, projects * MEMBERS)
        _calls(fill, proposals)
        _projects(fill, projects)
    tidy(engine)
    recorder, figures = Recorder(engine), Figures()
    for entry, as_of, do in JOBS:
        for stages, when in ((figures.first, ""), (figures.again, " again")):
            progress(entry + when)
            with recorder.stage(entry + when) as stage:
                stage.rows = _run(engine, recorder, entry, as_of, do)
            stages.append(stage)
    return figures


def _run(engine: Engine, recorder: Recorder, entry: str, as_of: datetime, do: Callable[[Work], int]) -> int:
    """Returns the number of rows that were written."""
    with Site(runner.deployment_of(engine)) as site:
        recorder.watch(site.engine)
        with site.work(entry, as_of) as work:
            do(work)
    return sum(kinds.total() for kinds in site.outcome.rows.values())


def _people(fill: Filler, users: int) -> None:
    """Everybody who is a member of a project or reviews; four hundred share a full name."""
    types = [("structure", "customer"), ("structure", "project"), ("proposal", "call")]
    listed = ", ".join(f"('{app}', '{model}')" for app, model in types)
    fill.add(django.content_type, f"(VALUES {listed}) v(app, model)", app_label="app", model="v.model")
    roles = f"(VALUES ('{REVIEWER}', 3), ('PROJECT.MEMBER', 2)) v(name, kind)"
    fill.add(permissions.role, roles, name="v.name", content_type_id="v.kind", is_system_role="true", is_active="true")
    fill.add(
        core.user,
        f"generate_series(1, {max(users, CALLS * REVIEWERS)}) n",
        username="'user' || n",
        slug="'u' || n",
        first_name="'Given' || n % 25",
        last_name="'Family' || n % 15",
        is_active="true",
    )
    fill.add(structure.customer, "(VALUES ('Office')) v(name)", name="v.name")


def _calls(fill: Filler, proposals: int) -> None:
    """A hundred calls with two rounds each: one open and reviewed at once, one that has ended. A third are drafts."""
    fill.add(proposal.callmanagingorganisation, "structure_customer c", customer_id="c.id")
    office = "proposal_callmanagingorganisation o"
    fill.add(
        proposal.call,
        f"{office}, generate_series(1, {CALLS}) n",
        name="'Call ' || n",
        manager_id="o.id",
        state="'active'",
    )
    rounds = "(VALUES ('after_proposal', 30), ('after_round', -1)) v(strategy, days)"
    fill.add(
        proposal.round,
        f"proposal_call c, {rounds}",
        call_id="c.id",
        review_strategy="v.strategy",
        cutoff_time=f"timestamptz '{NOW}' + v.days * interval '1 day'",
        minimum_number_of_reviewers="2",
        review_duration_in_days="14",
    )
    fill.add(
        permissions.userrole,
        f"proposal_call c, generate_series(1, {REVIEWERS}) n",
        user_id=f"(c.id - 1) * {REVIEWERS} + n",
        role_id="1",
        content_type_id="3",
        object_id="c.id",
        is_active="true",
    )
    fill.add(structure.project, "structure_customer c", customer_id="c.id", name="'Proposed'", slug="'proposed'")
    fill.add(
        proposal.proposal,
        f"proposal_round r, generate_series(1, {proposals // CALLS // 2}) n",
        round_id="r.id",
        name="'Proposal ' || n",
        state="(ARRAY['draft', 'submitted', 'submitted'])[1 + n % 3]",
        project_id="1",
    )


def _projects(fill: Filler, projects: int) -> None:
    """Projects with a resource of a cluster each, and three members; policies of numbered and of plain names."""
    fill.add(marketplace.category, "(VALUES ('HPC')) v(title)", title="v.title")
    policies = "ARRAY['full_name', 'anonymized', 'waldur_username']"
    fill.add(
        marketplace.offering,
        f"structure_customer c, generate_series(1, {OFFERINGS}) n",
        customer_id="c.id",
        category_id="1",
        name="'Cluster ' || n",
        slug="'c' || n",
        type="'Marketplace.Slurm'",
        state="2",
        secret_options=f"'{{\"{FLAG}\": true}}'::jsonb",
        plugin_options=f"jsonb_build_object('username_generation_policy', ({policies})[1 + n % 3])",
    )
    fill.add(
        structure.project,
        f"structure_customer c, generate_series(1, {projects}) n",
        customer_id="c.id",
        name="'Project ' || n",
        slug="'p' || n",
    )
    fill.add(
        marketplace.resource,
        "structure_project p WHERE p.id > 1",
        project_id="p.id",
        offering_id=f"1 + p.id % {OFFERINGS}",
        name="'cluster'",
        slug="'r' || p.id",
        state="2",
    )
    fill.add(
        permissions.userrole,
        f"structure_project p, generate_series(1, {MEMBERS}) n WHERE p.id > 1",
        user_id=f"(p.id - 2) * {MEMBERS} + n",
        role_id="2",
        content_type_id="2",
        object_id="p.id",
        is_active="true",
    )


def main(
    proposals: int = 100_000,
    projects: int = 50_000,
    statements: StatementsOption = 0,
    directory: DirectoryOption = None,
) -> None:
    """Assign reviewers, end what is late, and make accounts on a large site; fails when a target is missed."""
    console = Console()
    with runner.empty_database(directory, console) as (engine, progress):
        figures = measure(engine, proposals, projects, progress)
    title = f"{proposals:,} proposals, {projects:,} projects with {MEMBERS} members each"
    console.print(runner.stage_table(title, [figures.first, figures.again]))
    if statements:
        console.print(runner.slowest(figures.first, statements))
    runner.conclude(console, figures.misses())


if __name__ == "__main__":
    typer.run(main)
