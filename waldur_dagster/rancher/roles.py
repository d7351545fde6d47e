"""The job waldur-rancher-sync-rancher-roles (spec rancher_support)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, column, exists, false, func, or_, select, table

from waldur_dagster.clients.failures import ItemFailed
from waldur_dagster.platform.merge import Merge
from waldur_dagster.platform.plugin_resources import OK
from waldur_dagster.rancher.servers import cluster, servers_of
from waldur_dagster.schema import rancher
from waldur_dagster.services.providers import Service
from waldur_dagster.services.rancher import rancher_at
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Stop, Visit, visit
from waldur_dagster.work import Work

role = rancher.roletemplate
SCOPES = ("cluster", "project")
LENGTH = 50  # characters of a role's id, and of its name


def sync_roles(transaction: Transactions) -> None:
    """Make the known roles of every server those that it has. One that people have is never deleted."""
    with transaction() as work:
        servers = servers_of(work, cluster.c.state == OK).values()
        stops = [Stop(str(server), f"roles of {server}", server) for server in servers]
    visit(transaction, stops, fetch, merge)


def fetch(visiting: Visit, server: Service) -> list[dict[str, Any]]:
    """All roles of clusters and projects: scope_type, name (Rancher's id) and display_name.

    Rancher has others too, for the whole server; of one without a scope_type it does not say which kind it is.
    """
    found = rancher_at(visiting, server).listed("roletemplates", "roles")
    if not found:
        raise ItemFailed("Rancher lists no roles at all: the known ones stay as they are")
    return [
        {
            "scope_type": document.get("context"),
            "name": document["id"],
            "display_name": document.get("name") or document["id"],
        }
        for document in found
        if document.get("context") in (*SCOPES, None)
    ]


def merge(work: Work, server: Service, rows: Sequence[dict[str, Any]]) -> None:
    fitting, unclear = [], []
    for row in rows:
        if row["scope_type"] is None:
            unclear.append(row["name"])
            work.outcome.warn(f"role {row['name']} of {server}", "has no context in Rancher: what is known of it stays")
        elif len(row["name"]) > LENGTH:
            words = f"is left out: its id has more than {LENGTH} characters"
            work.outcome.warn(f"role {row['name']} of {server}", words)
        else:
            fitting.append(row | {"display_name": row["display_name"][:LENGTH]})
    of_server = role.c.settings_id == server.id
    key = ["scope_type", "name"]
    made = Merge(work, role, fitting, key=key, columns=["display_name"], scope=of_server)
    in_use, is_clear = _in_use(work), role.c.name.not_in(unclear)
    used = made.stale(in_use & is_clear)
    for name in work.connection.scalars(select(role.c.name).where(role.c.id.in_(used)).order_by(role.c.id)):
        work.outcome.warn(f"role {name} of {server}", "is gone in Rancher, and stays here: people have it")
    made.delete(made.stale(~in_use & is_clear))
    made.update(["display_name"])
    pulled = {column: made.pulled.c[column] for column in (*key, "display_name")}
    made.insert(pulled | {"uuid": func.gen_random_uuid(), "settings_id": server.id})


def _in_use(work: Work) -> ColumnElement[bool]:
    """Whether groups, or whatever else a version of Waldur hangs on roles, refer to a role."""
    users = [table(found.child, column(found.column)) for found in work.schema.references.get(role.name, [])]
    return or_(false(), *(exists().where(user.c[0] == role.c.id) for user in users))
