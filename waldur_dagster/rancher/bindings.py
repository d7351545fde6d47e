"""The job waldur-rancher-sync-rancher-group-bindings (spec rancher_support).

A binding gives the members of a group a role, in the one cluster or project that the group is for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import select

from waldur_dagster.clients.failures import NotFound, VisitFailed
from waldur_dagster.clients.rancher import Rancher
from waldur_dagster.platform.plugin_resources import OK
from waldur_dagster.rancher.realms import CHILD, Known
from waldur_dagster.rancher.servers import cluster, servers_of
from waldur_dagster.schema import rancher
from waldur_dagster.services.providers import Service
from waldur_dagster.services.rancher import rancher_at
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Partly, Stop, Visit, visit
from waldur_dagster.work import Work

project, role, group = rancher.project, rancher.roletemplate, rancher.keycloakgroup
PRINCIPAL = "keycloakoidc_group://"
# Where bindings of clusters and of projects are kept, and what they call the place that they are for.
KINDS = {
    "cluster": ("clusterroletemplatebindings", "clusterId"),
    "project": ("projectroletemplatebindings", "projectId"),
}
SHOWN = 10


@dataclass(frozen=True)
class Change:
    """One binding to be made, or deleted when ``path`` names it."""

    server: Service
    words: str
    path: str
    values: Mapping[str, Any] = field(default_factory=dict)


def sync_bindings(transaction: Transactions) -> None:
    """Make the bindings of Waldur's groups what its rows say: what lacks is made, what is wrong or double deleted.

    Bindings of everybody else stay as they are. What Rancher has is read first, what Waldur wants after it, so that
    a group made in between is not taken for a wrong one.
    """
    with transaction() as work:
        servers = servers_of(work, cluster.c.state == OK).values()
        stops = [Stop(str(server), f"bindings of {server}", server) for server in servers]
    changes: dict[int, list[Change]] = {}
    visit(transaction, stops, fetch, partial(merge, changes))
    wanted = [Stop(str(one.server), one.words, one) for found in changes.values() for one in found]
    visit(transaction, wanted, _change, None)


def fetch(visiting: Visit, server: Service) -> dict[str, list[dict[str, Any]]]:
    """All bindings of a server, of clusters and of projects: two lists, however many clusters there are."""
    api = rancher_at(visiting, server)
    found: dict[str, list[dict[str, Any]]] = {}
    problem: VisitFailed | None = None
    for kind, (path, _) in KINDS.items():
        try:
            found[kind] = api.listed(path, f"bindings of {kind}s")
        except VisitFailed as failed:
            problem = failed
    if problem is not None:
        raise Partly(found, problem)
    return found


def merge(
    noted: dict[int, list[Change]], work: Work, server: Service, found: Mapping[str, list[dict[str, Any]]]
) -> None:
    """Note what is to be changed, by server; nothing is written here."""
    known = Known(work)
    changes = noted[server.id] = []
    strangers: set[str] = set()
    for kind, bindings in found.items():
        path, key = KINDS[kind]
        wanted = _wanted(work, server, kind)
        by_place: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for binding in bindings:
            by_place[str(binding.get(key) or "")].append(binding)
        for place, pairs in wanted.items():
            missing = dict.fromkeys(pairs)
            for binding in sorted(by_place.get(place, []), key=lambda item: str(item["id"])):
                pair = (binding.get("groupPrincipalId"), binding.get("roleTemplateId"))
                name = CHILD.fullmatch((pair[0] or "").removeprefix(PRINCIPAL)) if _is_group(pair[0]) else None
                if pair in missing:
                    del missing[pair]
                elif name in known:
                    words = f"delete the binding of {pair[0]} with the role {pair[1]} in {place}"
                    changes.append(Change(server, words, f"{path}/{binding['id']}"))
                elif name is not None:
                    strangers.add(name[0])
            for principal, role_name in missing:
                values = {"roleTemplateId": role_name, key: place, "groupPrincipalId": principal}
                changes.append(Change(server, f"bind {principal} with the role {role_name} in {place}", path, values))
    if strangers:
        words = f"{len(strangers)} groups of clusters or projects that this database does not know are bound: "
        work.outcome.warn(str(server), words + ", ".join(sorted(strangers)[:SHOWN]))


def _wanted(work: Work, server: Service, kind: str) -> dict[str, list[tuple[str, str]]]:
    """(principal, role) by the place at Rancher, for all places of a server's sound clusters that Rancher has made."""
    table = {"cluster": cluster, "project": project}[kind]
    source = cluster if kind == "cluster" else project.join(cluster, cluster.c.id == project.c.cluster_id)
    sound = (table.c.backend_id != "", cluster.c.settings_id == server.id, cluster.c.state == OK)
    places = select(table.c.backend_id).select_from(source).where(*sound)
    columns = (table.c.backend_id, table.c.settings_id, group.c.name, role.c.name.label("role"), role.c.scope_type)
    groups = (
        select(*columns, role.c.settings_id.label("role_settings_id"))
        .select_from(source.join(group, group.c.scope_uuid == table.c.uuid).join(role, role.c.id == group.c.role_id))
        .where(*sound)
        .order_by(group.c.id)
    )
    wanted: dict[str, list[tuple[str, str]]] = {place: [] for place in work.connection.scalars(places)}
    for row in work.connection.execute(groups):
        if problem := _misfit(row, kind):
            work.outcome.warn(f"group {row.name}", f"is not bound: {problem}")
        else:
            wanted[row.backend_id].append((f"{PRINCIPAL}{row.name}", row.role))
    return wanted


def _misfit(row: Any, kind: str) -> str:
    if row.role_settings_id != row.settings_id:
        return "its role is of another Rancher server"
    return "" if row.scope_type == kind else f"its role is for a {row.scope_type}"


def _is_group(principal: Any) -> bool:
    return isinstance(principal, str) and principal.startswith(PRINCIPAL)


def _change(visiting: Visit, change: Change) -> None:
    api = rancher_at(visiting, change.server)
    visiting.change(change.words, lambda: _apply(api, change))


def _apply(api: Rancher, change: Change) -> None:
    if change.values:
        api.create(change.path, dict(change.values))
        return
    with suppress(NotFound):  # somebody else was faster
        api.delete(change.path)
