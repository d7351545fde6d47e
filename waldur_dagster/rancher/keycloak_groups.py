"""The job waldur-rancher-delete-leftover-keycloak-groups (spec rancher_support)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import select

from waldur_dagster.clients.failures import NotFound
from waldur_dagster.clients.keycloak import Keycloak, Realm
from waldur_dagster.rancher.leftovers import forget, seen_again
from waldur_dagster.rancher.realms import CHILD, KINDS, PARENT, Known, keycloak_at, realm_of
from waldur_dagster.schema import rancher
from waldur_dagster.services.providers import SERVICE, opened_services, settings
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Stop, Visit, visit
from waldur_dagster.work import Work

group = rancher.keycloakgroup
SHOWN = 10


@dataclass(frozen=True)
class Group:
    """A group of Keycloak. ``children`` is None for that of a role, else how many of these are below it."""

    id: str
    name: str
    children: int | None = None


@dataclass(frozen=True)
class Leftover:
    realm: Realm
    group: Group


def delete_leftover_groups(transaction: Transactions) -> None:
    """Delete Keycloak groups of clusters and projects that have no row, once two runs in a row have seen them so.

    Groups of clusters and projects that this database does not know may be another Waldur's: they are reported, and
    deleted only where the deployment says so (``[rancher] delete_unknown_groups``).
    """
    with transaction() as work:
        realms = _realms(work)
    due: list[Leftover] = []
    visit(transaction, [Stop(str(realm), f"groups of {realm}", realm) for realm in realms], fetch, partial(merge, due))
    visit(
        transaction,
        [Stop(str(one.realm), f"group {one.group.name}", one) for one in dict.fromkeys(due)],
        _delete,
        _forget,
    )


def _realms(work: Work) -> list[Realm]:
    """The realms of all Rancher servers, whether they have clusters or not; two may share one."""
    found: dict[tuple[str, str], Realm] = {}
    for server in opened_services(work, select(*SERVICE).where(settings.c.type == "Rancher")):
        realm = realm_of(server)
        if realm is not None:
            found.setdefault((realm.url, realm.name), realm)
    return list(found.values())


def fetch(visiting: Visit, realm: Realm) -> list[Group]:
    """Waldur's groups in a realm: of roles, and those above them. Only what is in the answer can ever be deleted."""
    api = keycloak_at(visiting, realm)
    found: dict[str, Group] = {}
    for kind in KINDS:
        for parent in api.groups_like(f"{kind}_"):
            if not PARENT.fullmatch(str(parent.get("name"))):
                continue
            children = {str(child["id"]): child for child in parent["subGroups"]}
            count = parent.get("subGroupCount")
            if count is not None and count > len(children):
                children = {str(child["id"]): child for child in api.children_of(str(parent["id"]))}
            found[str(parent["id"])] = Group(str(parent["id"]), parent["name"], max(count or 0, len(children)))
            for id, child in children.items():
                if CHILD.fullmatch(str(child.get("name"))):
                    found[id] = Group(id, child["name"])
    return list(found.values())


def merge(due: list[Leftover], work: Work, realm: Realm, found: Sequence[Group]) -> None:
    """Tell leftovers from the site's own groups, which are read after those of Keycloak.

    Rows of all servers count: which of them share the realm cannot be told for one that cannot be opened, names no
    account, or writes the address in another way. Ids are uuids, so no other realm's row keeps a leftover.
    """
    rows = work.connection.execute(select(group.c.backend_id, group.c.name)).all()
    own, nameless = {row.backend_id for row in rows}, {row.name.lower() for row in rows if not row.backend_id}
    known = Known(work)
    left: dict[str, Group] = {}
    strangers: list[str] = []
    for one in found:
        is_left = one.children == 0 if one.children is not None else one.id not in own
        if not is_left or one.name.lower() in nameless:
            continue
        of_known = (PARENT if one.children is not None else CHILD).fullmatch(one.name) in known
        if not of_known:
            strangers.append(one.name)
        if of_known or work.deployment.rancher.delete_unknown_groups:
            left[one.id] = one
    if strangers and not work.deployment.rancher.delete_unknown_groups:
        words = f"{len(strangers)} groups of clusters or projects that this database does not know stay: "
        work.outcome.warn(str(realm), words + ", ".join(sorted(strangers)[:SHOWN]))
    again = seen_again(work, str(realm), left.keys())
    work.outcome.figures["leftover groups"] += len(left)
    due += [Leftover(realm, left[id]) for id in sorted(again)]


def _delete(visiting: Visit, one: Leftover) -> None:
    api = keycloak_at(visiting, one.realm)
    if one.group.children is not None and not _is_empty(api, one.group.id):
        return
    visiting.change(f"delete the group {one.group.name} of {one.realm}", lambda: api.delete_group(one.group.id))


def _is_empty(api: Keycloak, group_id: str) -> bool:
    """Whether a group still has no children; one that is gone is not deleted again."""
    try:
        now = api.group(group_id)
    except NotFound:
        return False
    return not now.get("subGroups") and not now.get("subGroupCount")


def _forget(work: Work, one: Leftover, _: Any) -> None:
    forget(work, str(one.realm), one.group.id)
