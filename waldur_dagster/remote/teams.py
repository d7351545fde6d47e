"""Who is to have which role in the remote projects (spec remote 10)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, or_, select, union

from waldur_dagster.marketplace.states import OrderState, ResourceState
from waldur_dagster.platform.roles import OWNER, is_built_in
from waldur_dagster.remote.projects import Project, read_projects
from waldur_dagster.remote.remotes import TYPE, Offering, Remote, is_newer, offering, offerings_by_id, resource
from waldur_dagster.schema import core, marketplace, permissions
from waldur_dagster.work import Work

order, user, held, role = marketplace.order, core.user, permissions.userrole, permissions.role
EDUTEAMS = "eduteams"
MANAGER = "PROJECT.MANAGER"
# Of several roles of a user the first is sent.
RANKS = (MANAGER, "PROJECT.ADMIN", "PROJECT.MEMBER")
NOT_THERE = (ResourceState.CREATING, ResourceState.TERMINATED)
ON_THE_WAY = (OrderState.PENDING_CONSUMER, OrderState.PENDING_PROVIDER, OrderState.EXECUTING)


@dataclass(frozen=True)
class Seat:
    """A role in a project by its name, and when it ends (aware), if it does."""

    role: str
    end: datetime | None


@dataclass(frozen=True)
class Team:
    """A project at one remote where it buys. ``wanted`` are the seats by user name; ``organization`` is ours there.

    ``count`` is how many projects have something there.
    """

    project: Project
    remote: Remote
    organization: str
    count: int
    wanted: Mapping[str, Seat]

    def __str__(self) -> str:
        return str(self.project)


def read_teams(work: Work) -> list[Team]:
    """The teams of all projects that have resources, or orders on their way, at remotes.

    Offerings that do not say how their remote is asked, or who we are there, are told and passed over.
    """
    pairs = work.connection.execute(_pairs()).all()
    offerings = {
        id: found
        for id, found in offerings_by_id(work, {pair.offering_id for pair in pairs}, optional=True).items()
        if found.customer_uuid or _tell(work, found)
    }
    projects = read_projects(work, {pair.project_id for pair in pairs})
    places: dict[tuple[Remote, int], list[Offering]] = defaultdict(list)
    for pair in pairs:
        if pair.offering_id in offerings and pair.project_id in projects:
            places[offerings[pair.offering_id].remote, pair.project_id].append(offerings[pair.offering_id])
    members = _members(work, projects)
    owners: dict[int, dict[str, Seat]] = {} if is_newer(work) else _owners(work, projects)
    counts: dict[Remote, int] = defaultdict(int)
    for remote, _ in places:
        counts[remote] += 1
    return [
        Team(
            projects[id],
            remote,
            sold[0].customer_uuid,
            counts[remote],
            members.get(id, {})
            | (owners.get(id, {}) if any(one.customer_id != projects[id].customer_id for one in sold) else {}),
        )
        for (remote, id), sold in places.items()
    ]


def _pairs() -> Select[Any]:
    bought = (
        select(resource.c.project_id, resource.c.offering_id)
        .join(offering, offering.c.id == resource.c.offering_id)
        .where(offering.c.type == TYPE, resource.c.state.not_in(NOT_THERE))
    )
    ordered = (
        select(order.c.project_id, order.c.offering_id)
        .join(offering, offering.c.id == order.c.offering_id)
        .where(offering.c.type == TYPE, order.c.state.in_(ON_THE_WAY))
    )
    both = union(bought, ordered).subquery("pair")
    return select(both.c.project_id, both.c.offering_id).order_by(both.c.project_id, both.c.offering_id)


def _tell(work: Work, found: Offering) -> bool:
    work.outcome.warn(str(found), "its secret options have no customer_uuid; its projects' teams were not looked at")
    return False


def _members(work: Work, projects: Mapping[int, Project]) -> dict[int, dict[str, Seat]]:
    """By project, the seats of those who have one of Waldur's own roles in it."""
    found: dict[int, dict[str, Seat]] = defaultdict(dict)
    rows = work.connection.execute(_roles(work, "project", projects).where(role.c.is_system_role)).all()
    for row in sorted(rows, key=lambda row: _rank(row.name), reverse=True):  # the best role comes last and stays
        found[row.object_id][row.username] = Seat(row.name, _end(row.expiration_time))
    return found


def _owners(work: Work, projects: Mapping[int, Project]) -> dict[int, dict[str, Seat]]:
    """By project, its organization's owners as managers: up to 2024 they count as members of the remote project."""
    of_customer: dict[int, dict[str, Seat]] = defaultdict(dict)
    customers = {one.customer_id for one in projects.values()}
    for row in work.connection.execute(_roles(work, "customer", customers).where(is_built_in(role, OWNER))):
        of_customer[row.object_id][row.username] = Seat(MANAGER, _end(row.expiration_time))
    return {id: of_customer.get(one.customer_id, {}) for id, one in projects.items()}


def _roles(work: Work, model: str, scopes: Collection[int] | Mapping[int, Any]) -> Select[Any]:
    """Active roles that have not ended, of active users who came by way of eduTEAMS."""
    return (
        select(held.c.object_id, user.c.username, role.c.name, held.c.expiration_time)
        .join(role, role.c.id == held.c.role_id)
        .join(user, user.c.id == held.c.user_id)
        .where(
            held.c.is_active,
            held.c.content_type_id == work.content_types("structure", model),
            held.c.object_id.in_(list(scopes)),
            or_(held.c.expiration_time.is_(None), held.c.expiration_time > work.as_of),
            user.c.is_active,
            or_(user.c.registration_method == EDUTEAMS, user.c.identity_source == EDUTEAMS),
        )
        .order_by(held.c.id)
    )


def _rank(name: str) -> int:
    return RANKS.index(name) if name in RANKS else len(RANKS)


def _end(moment: datetime | None) -> datetime | None:
    return moment and moment.astimezone(UTC)
