"""The job waldur-rancher-sync-keycloak-users (spec rancher_support)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Row, Select, func, or_, select, update

from waldur_dagster.clients.failures import ItemFailed, NotFound, SystemFailed, VisitFailed
from waldur_dagster.clients.keycloak import Realm
from waldur_dagster.rancher.realms import keycloak_at, realm_of
from waldur_dagster.rancher.servers import cluster, servers_of
from waldur_dagster.schema import rancher
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Partly, Stop, Visit, visit
from waldur_dagster.work import Work

project, role, group, membership = rancher.project, rancher.roletemplate, rancher.keycloakgroup, rancher.membership
PENDING, ACTIVE = "pending", "active"
OLD, SELDOM = timedelta(days=7), timedelta(hours=6)
AT_ONCE = 5000  # people looked up in one run; those who were not looked up for longest come first
NAME_LENGTH = 100


@dataclass(frozen=True)
class Person:
    """One user name in one realm, with the groups that wait for it: ids of memberships by the group's id there."""

    realm: Realm
    username: str
    groups: dict[str, list[int]] = field(default_factory=dict)

    @property
    def rows(self) -> list[int]:
        return [id for ids in self.groups.values() for id in ids]


@dataclass(frozen=True)
class Found:
    """Who he is, None when Keycloak does not know him yet; groups that he is in now, and that refused him."""

    user: dict[str, Any] | None
    joined: list[str] = field(default_factory=list)
    refused: dict[str, VisitFailed] = field(default_factory=dict)


def sync_users(transaction: Transactions) -> None:
    """Put people who have logged in for the first time into the groups that wait for them.

    A person is whoever has exactly that name, whatever the case. What fails is kept in the membership's row.
    """
    with transaction() as work:
        people = _due(work)
    stops = [Stop(str(person.realm), f"{person.username} in {person.realm}", person) for person in people]
    down: dict[Realm, str] = {}
    visited: set[int] = set()
    visit(transaction, stops, fetch, partial(merge, visited), failed=partial(keep_failure, visited, down))
    for realm, problem in down.items():
        left = [id for person in people if person.realm == realm for id in person.rows if id not in visited]
        with transaction() as work:
            _write(work, left, error_message=problem)


def _due(work: Work) -> list[Person]:
    """Those who wait, who was not looked up for longest first. What cannot be placed is told in its row."""
    servers = servers_of(work)
    people: dict[tuple[Realm, str], Person] = {}
    nowhere: defaultdict[str, list[int]] = defaultdict(list)
    told: set[str] = set()
    for row in work.connection.execute(_waiting(work)):
        server = servers.get(row.settings_id)
        realm = realm_of(server) if server is not None else None
        if problem := _misplaced(row, is_known=server is not None, has_realm=realm is not None):
            nowhere[problem].append(row.id)
            item = str(server) if server is not None and realm is None else f"membership of {row.username} ({row.id})"
            if item not in told:
                told.add(item)
                work.outcome.warn(item, problem)
            continue
        assert realm is not None
        person = people.setdefault((realm, row.username.lower()), Person(realm, row.username))
        person.groups.setdefault(row.backend_id, []).append(row.id)
    for problem, ids in nowhere.items():
        _write(work, ids, error_message=problem)
    return list(people.values())


def _waiting(work: Work) -> Select[Any]:
    of_project = cluster.alias("of_project")
    return (
        select(
            membership.c.id,
            membership.c.username,
            group.c.backend_id,
            func.coalesce(cluster.c.settings_id, of_project.c.settings_id).label("settings_id"),
        )
        .join(group, group.c.id == membership.c.group_id)
        .join(role, role.c.id == group.c.role_id)
        .outerjoin(cluster, (role.c.scope_type == "cluster") & (cluster.c.uuid == group.c.scope_uuid))
        .outerjoin(project, (role.c.scope_type == "project") & (project.c.uuid == group.c.scope_uuid))
        .outerjoin(of_project, of_project.c.id == project.c.cluster_id)
        .where(
            membership.c.state == PENDING,
            or_(membership.c.created >= work.as_of - OLD, membership.c.last_checked <= work.as_of - SELDOM),
        )
        .order_by(membership.c.last_checked, membership.c.id)
        .limit(AT_ONCE)
    )


def _misplaced(row: Row[Any], *, is_known: bool, has_realm: bool) -> str:
    if row.settings_id is None:
        return "the cluster or project of its group is gone"
    if not is_known:
        return "the settings of its Rancher server cannot be read"
    if not has_realm:
        return "its Rancher server names no Keycloak: keycloak_url, keycloak_realm and keycloak_username are wanted"
    if not row.backend_id:
        return "its group has no id of Keycloak"
    return "" if row.username else "it has no user name"


def fetch(visiting: Visit, person: Person) -> Found:
    """Look somebody up, and put him into every group that waits for him. One group that refuses stops no other."""
    api = keycloak_at(visiting, person.realm)
    users = api.users_named(person.username)
    if not users:
        return Found(None)
    if len(users) > 1:
        raise ItemFailed(f"{len(users)} users of the realm have this name: none is taken")
    found = Found(users[0])
    problem: VisitFailed | None = None
    for group_id in person.groups:
        try:
            add = partial(api.add_member, str(users[0]["id"]), group_id)
            visiting.change(f"add {person.username} to the group {group_id} of {person.realm}", add)
            found.joined.append(group_id)
        except VisitFailed as failed:
            found.refused[group_id] = failed
            problem = problem if isinstance(failed, NotFound) else failed
    if problem is not None:
        raise Partly(found, problem)
    return found


def merge(visited: set[int], work: Work, person: Person, found: Found) -> None:
    """Write what came of a look-up. Only then are his rows visited: the database may refuse what Keycloak gave."""
    if found.user is None:
        _write(work, person.rows)
    else:
        _write_found(work, person, found, found.user)
    visited.update(person.rows)


def _write_found(work: Work, person: Person, found: Found, user: Mapping[str, Any]) -> None:
    names = {name: str(user.get(key) or "")[:NAME_LENGTH] for name, key in _NAMES.items()}
    _write(work, _rows(person, found.joined), state=ACTIVE, **names)
    for group_id, problem in found.refused.items():
        _write(work, person.groups[group_id], error_message=str(problem))
        if isinstance(problem, NotFound):
            work.outcome.warn(f"{person.username} in {person.realm}", f"group {group_id}: {problem}")


def keep_failure(visited: set[int], down: dict[Realm, str], work: Work, person: Person, problem: VisitFailed) -> bool:
    """Keep in the rows what went wrong; the run fails for it all the same."""
    if isinstance(problem, SystemFailed):
        down[person.realm] = str(problem)
    if not visited.issuperset(person.rows):
        visited.update(person.rows)
        _write(work, person.rows, error_message=str(problem))
    return False


_NAMES = {"first_name": "firstName", "last_name": "lastName"}


def _rows(person: Person, groups: Iterable[str]) -> list[int]:
    return [id for group_id in groups for id in person.groups[group_id]]


def _write(work: Work, ids: list[int], *, error_message: str = "", **values: Any) -> None:
    """Write rows that still wait; one that somebody is at work on is left to him."""
    if not ids:
        return
    free = select(membership.c.id).where(membership.c.id.in_(ids), membership.c.state == PENDING)
    work.execute(
        update(membership)
        .where(membership.c.id.in_(free.with_for_update(skip_locked=True)))
        .values(last_checked=work.as_of, modified=work.as_of, error_message=error_message, error_traceback="", **values)
    )
