"""waldur-remote-sync-remote-project-permissions: teams of projects at the remotes they buy at (spec remote 10).

What is to be done is looked up for all projects first, so that it can be judged how many members of a remote would go.
Nothing is posted unseen: a project that is to be made, and a role in it, are looked for right before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from waldur_dagster.clients.failures import ItemFailed, VisitFailed
from waldur_dagster.clients.waldur import Document, Uuid, Waldur
from waldur_dagster.remote.losses import loses_too_much
from waldur_dagster.remote.projects import look
from waldur_dagster.remote.remotes import Remote, client
from waldur_dagster.remote.team_plans import Member, Plan, Step, plan_team
from waldur_dagster.remote.teams import Team, read_teams
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Circuit, Partly, Stop, Visit, visit
from waldur_dagster.visits.stops import Clients
from waldur_dagster.work import Work

SWITCH = "WALDUR_AUTH_SOCIAL.ENABLE_EDUTEAMS_SYNC"
ALLOWED = 1800.0  # seconds for all steps of a project


class Made(Document):
    """What a remote has made or found: a project, a user."""

    uuid: Uuid


def sync_project_permissions(transaction: Transactions) -> None:
    """Make the members of remote projects those of the projects here, where users of eduTEAMS are synchronized."""
    with transaction() as work:
        teams = read_teams(work) if work.settings[SWITCH] else []
    plans: dict[Remote, dict[int, Plan]] = defaultdict(dict)

    def note(work: Work, team: Team, plan: Plan) -> None:
        for words in plan.notes:
            work.outcome.warn(str(team), words)
        plans[team.remote][id(plan)] = plan

    visit(transaction, [Stop(team.remote.name, str(team), team) for team in teams], plan_team, note)
    judged = []
    for remote, of_remote in ((remote, list(found.values())) for remote, found in plans.items()):
        with transaction() as work:
            lost, known = sum(plan.lost for plan in of_remote), sum(plan.known for plan in of_remote)
            refused = loses_too_much(work, remote.name, "project members", lost=lost, known=known)
        judged += [plan.without_removals() if refused else plan for plan in of_remote]
    stops = [Stop(plan.team.remote.name, str(plan.team), plan) for plan in judged if not plan.is_empty]
    visit(transaction, stops, partial(carry_out, identities=Clients()), _tell, allowed=ALLOWED)


def carry_out(visit: Visit, plan: Plan, *, identities: Clients) -> list[tuple[str, str]]:
    """Change a remote project's team; returns the steps that failed, with why. ``identities`` are those of the run."""
    changes = _Changes(visit, client(visit, plan.team.remote), plan, identities, plan.project or "")
    problems: list[tuple[str, str]] = []
    circuit = Circuit()
    for step in plan.steps if plan.project is not None else changes.begin():
        try:
            changes.make(step)
            circuit.note(None)
        except VisitFailed as problem:
            problems.append((f"{step} in {plan.team}", str(problem)))
            if circuit.note(problem):
                raise Partly(problems, problem) from None
    return problems


@dataclass
class _Changes:
    """The changes of one team; ``project`` is the remote project's uuid ('' where a dry run would make it)."""

    visit: Visit
    api: Waldur
    plan: Plan
    identities: Clients
    project: str

    def begin(self) -> Sequence[Step]:
        """Make the remote project, unless it is there by now; the steps are to add everybody who is wanted."""
        team, api = self.plan.team, self.api
        found = look(api, team.project)
        if len(found) > 1:
            raise ItemFailed(f"{len(found)} projects at {team.remote.name} stand for it")
        if found:
            self.project = found[0].uuid
        else:
            body = team.project.wanted | {
                "backend_id": team.project.backend_id,
                "customer": f"{api.url}customers/{team.organization}/",
            }
            self.project = self._change(f"make {team}", "projects/", body)
        return [Step("add", name, "", seat) for name, seat in team.wanted.items()]

    def make(self, step: Step) -> None:
        """One step. In a project that was not there when the plan was made, roles are looked for first."""
        if self.visit.dry_run:
            self._change(f"{step} in {self.plan.team}", "", {})
            return
        uuid, kind, roles = step.uuid or self._identity(step.username), step.kind, f"projects/{self.project}"
        if self.plan.project is None:
            there = self.api.listed(f"{roles}/list_users/", user=uuid, role=step.seat.role)
            if there and Member.read(there[0]).expiration_time == step.seat.end:
                return
            kind = "update" if there else "add"
        body: dict[str, Any] = {"user": uuid, "role": step.seat.role}
        if kind != "delete":
            body["expiration_time"] = step.seat.end and step.seat.end.isoformat()
        self._change(f"{step} in {self.plan.team}", f"{roles}/{kind}_user/", body)

    def _identity(self, username: str) -> str:
        """The uuid of a user there, who is made when eduTEAMS knows him. Asked for once in a run, failures too."""
        found: str = self.identities.client(
            (self.api.url, username),
            lambda: self._change(f"ask for {username}", "remote-eduteams/", {"cuid": username}),
        )
        return found

    def _change(self, words: str, path: str, body: dict[str, Any]) -> str:
        """POST; the uuid of what the answer tells of, where it tells of something ('' in a dry run)."""

        def post() -> str:
            answer = self.api.change("POST", path, body)
            told = path in ("projects/", "remote-eduteams/")
            return Made.read(self.api.json(answer)).uuid if told else ""

        return self.visit.change(f"{words} at {self.plan.team.remote.name}", post) or ""


def _tell(work: Work, _: Plan, problems: Sequence[tuple[str, str]]) -> None:
    for item, problem in problems:
        work.outcome.fail(item, problem)
