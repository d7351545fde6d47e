"""The job waldur-rancher-delete-leftover-keycloak-memberships (spec rancher_support)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import exists, select

from waldur_dagster.clients.failures import NotFound, VisitFailed
from waldur_dagster.clients.keycloak import Realm
from waldur_dagster.platform.plugin_resources import OK
from waldur_dagster.rancher.realms import keycloak_at, realm_of
from waldur_dagster.rancher.servers import cluster, servers_of
from waldur_dagster.schema import rancher
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Stop, Visit, visit
from waldur_dagster.work import Work

role, group, membership = rancher.roletemplate, rancher.keycloakgroup, rancher.membership


@dataclass(frozen=True)
class Group:
    """A group that Waldur keeps in a realm."""

    id: int
    name: str
    backend_id: str
    server: str
    server_id: int
    realm: Realm

    def __str__(self) -> str:
        return f"group {self.name}"


@dataclass(frozen=True)
class Member:
    group: Group
    user_id: str
    username: str


def delete_leftover_memberships(transaction: Transactions) -> None:
    """Take out of Waldur's Keycloak groups whoever has no membership, pending or active; case does not count.

    Members are read first, memberships after them. Where a server has groups and not one membership the database is
    taken for broken: nobody is taken out.
    """
    with transaction() as work:
        groups = _groups(work)
    leaving: list[Member] = []
    stops = [Stop(str(one.realm), str(one), one) for one in groups]
    visit(transaction, stops, fetch, partial(merge, leaving), failed=_keep_missing)
    visit(
        transaction,
        [Stop(str(one.group.realm), f"{one.username} in {one.group}", one) for one in leaving],
        _remove,
        lambda *_: None,
    )


def _groups(work: Work) -> list[Group]:
    """The groups with an id, of servers that have a sound cluster and name a realm."""
    found = []
    servers = servers_of(work, cluster.c.state == OK)
    rows = (
        select(group.c.id, group.c.name, group.c.backend_id, role.c.settings_id)
        .join(role, role.c.id == group.c.role_id)
        .where(role.c.settings_id.in_(servers), group.c.backend_id != "")
    )
    for row in work.connection.execute(rows.order_by(group.c.id)):
        server = servers[row.settings_id]
        realm = realm_of(server)
        if realm is not None:
            found.append(Group(row.id, row.name, row.backend_id, str(server), server.id, realm))
    return found


def fetch(visiting: Visit, one: Group) -> list[tuple[str, str]]:
    """(id, user name) of all members."""
    members = keycloak_at(visiting, one.realm).members_of(one.backend_id)
    return [(str(member["id"]), str(member["username"])) for member in members]


def merge(leaving: list[Member], work: Work, one: Group, members: Sequence[tuple[str, str]]) -> None:
    """Note who is to leave; nothing is written here."""
    names = work.connection.scalars(select(membership.c.username).where(membership.c.group_id == one.id))
    allowed = {name.lower() for name in names}
    left = [Member(one, id, name) for id, name in members if name.lower() not in allowed]
    if not left:
        return
    if not allowed and not _has_memberships(work, one):
        words = "has groups and not one membership in this database: nobody is taken out of its groups"
        work.outcome.fail(one.server, words)
        return
    if not allowed:
        work.outcome.warn(str(one), f"has no memberships: all its {len(left)} members are taken out")
    leaving += left


def _has_memberships(work: Work, one: Group) -> bool:
    of_server = (
        select(membership.c.id)
        .join(group, group.c.id == membership.c.group_id)
        .join(role, role.c.id == group.c.role_id)
        .where(role.c.settings_id == one.server_id)
    )
    return bool(work.connection.scalar(select(exists(of_server))))


def _keep_missing(_: Work, __: Group, problem: VisitFailed) -> bool:
    """A group that Keycloak does not know is a warning: there is nobody to take out."""
    return isinstance(problem, NotFound)


def _remove(visiting: Visit, one: Member) -> None:
    api = keycloak_at(visiting, one.group.realm)
    words = f"take {one.username} out of {one.group} of {one.group.realm}"
    visiting.change(words, lambda: api.remove_member(one.user_id, one.group.backend_id))
