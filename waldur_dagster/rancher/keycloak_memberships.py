"""The job waldur-rancher-delete-leftover-keycloak-memberships (spec rancher_support)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import exists, select

from waldur_dagster.clients.failures import ItemFailed, NotFound, VisitFailed
from waldur_dagster.clients.keycloak import Realm
from waldur_dagster.platform.plugin_resources import OK
from waldur_dagster.rancher.realms import keycloak_at, realm_of
from waldur_dagster.rancher.servers import cluster, servers_of
from waldur_dagster.schema import rancher
from waldur_dagster.services.providers import settings
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Circuit, Partly, Stop, Visit, visit
from waldur_dagster.work import Work

AT_ONCE = 100  # groups of a batch
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


@dataclass(frozen=True)
class Batch:
    """Groups of one realm that are read one after the other, and compared in one transaction."""

    realm: Realm
    groups: tuple[Group, ...]

    def __str__(self) -> str:
        return f"{len(self.groups)} groups from {self.groups[0].name} on"


# A group with its members, (id, user name), or with what became of it.
Read = tuple[Group, list[tuple[str, str]] | VisitFailed]


def delete_leftover_memberships(transaction: Transactions) -> None:
    """Take out of Waldur's Keycloak groups whoever has no membership, pending or active; case does not count.

    Members are read first, memberships after them. Where a server has groups and not one membership the database is
    taken for broken: nobody is taken out.
    """
    with transaction() as work:
        batches = _batches(_groups(work))
    leaving: list[Member] = []
    visit(transaction, [Stop(str(one.realm), str(one), one) for one in batches], fetch, partial(merge, leaving))
    visit(
        transaction,
        [Stop(str(one.group.realm), f"{one.username} in {one.group}", one) for one in dict.fromkeys(leaving)],
        _remove,
        None,
    )


def _batches(groups: Sequence[Group]) -> list[Batch]:
    by_realm: defaultdict[Realm, list[Group]] = defaultdict(list)
    for one in groups:
        by_realm[one.realm].append(one)
    return [
        Batch(realm, tuple(found[first : first + AT_ONCE]))
        for realm, found in by_realm.items()
        for first in range(0, len(found), AT_ONCE)
    ]


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


def fetch(visiting: Visit, batch: Batch) -> list[Read]:
    """The members of all groups. One that cannot be read stops no other, as long as the realm answers."""
    api = keycloak_at(visiting, batch.realm)
    found: list[Read] = []
    circuit = Circuit()
    for one in batch.groups:
        try:
            found.append((one, [(str(m["id"]), str(m["username"])) for m in api.members_of(one.backend_id)]))
            circuit.note(None)
        except KeyError as error:
            found.append((one, ItemFailed(f"Keycloak gave a member without {error}")))
        except VisitFailed as problem:
            if circuit.note(problem):
                raise Partly(found, problem) from None
            found.append((one, problem))
    return found


def merge(leaving: list[Member], work: Work, batch: Batch, found: Sequence[Read]) -> None:
    """Note who is to leave; nothing is written here. A group that Keycloak does not know is a warning."""
    allowed: defaultdict[int, set[str]] = defaultdict(set)
    rows = select(membership.c.group_id, membership.c.username)
    for row in work.connection.execute(rows.where(membership.c.group_id.in_([one.id for one in batch.groups]))):
        allowed[row.group_id].add(row.username.lower())
    broken: set[str] = set()
    sound = _servers_with_memberships(work, batch)
    for one, members in found:
        if isinstance(members, NotFound):
            work.outcome.warn(str(one), str(members))
        elif isinstance(members, VisitFailed):
            work.outcome.fail(str(one), str(members))
        elif left := [Member(one, id, name) for id, name in members if name.lower() not in allowed[one.id]]:
            if not allowed[one.id] and one.server_id not in sound:
                broken.add(one.server)
                continue
            if not allowed[one.id]:
                work.outcome.warn(str(one), f"has no memberships: all its {len(left)} members are taken out")
            leaving += left
    for server in sorted(broken):
        words = "has groups and not one membership in this database: nobody is taken out of its groups"
        work.outcome.fail(server, words)


def _servers_with_memberships(work: Work, batch: Batch) -> set[int]:
    """The servers of a batch that have any membership, in whatever group."""
    has_some = exists().where(
        role.c.settings_id == settings.c.id, group.c.role_id == role.c.id, membership.c.group_id == group.c.id
    )
    servers = {one.server_id for one in batch.groups}
    return set(work.connection.scalars(select(settings.c.id).where(settings.c.id.in_(servers), has_some)))


def _remove(visiting: Visit, one: Member) -> None:
    api = keycloak_at(visiting, one.group.realm)
    words = f"take {one.username} out of {one.group} of {one.group.realm}"
    visiting.change(words, lambda: api.remove_member(one.user_id, one.group.backend_id))
