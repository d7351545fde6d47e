"""The job waldur-rancher-update-clusters-nodes (spec rancher_support)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select

from waldur_dagster.marketplace.plugin_coupling import follow_plugins
from waldur_dagster.platform.plugin_resources import DELETING, ERRED, PLUGIN_RESOURCES
from waldur_dagster.platform.plugin_states import lock_in_marketplace, no_changes, set_state
from waldur_dagster.rancher.node_facts import facts_of, state_of, write_nodes
from waldur_dagster.rancher.node_usage import keep_usage, warn_of_unbilled
from waldur_dagster.rancher.servers import cluster, servers_of
from waldur_dagster.schema import rancher
from waldur_dagster.services.providers import Service
from waldur_dagster.services.rancher import rancher_at
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Stop, Visit, visit
from waldur_dagster.work import Work

node = rancher.node
CLUSTER = next(plugin for plugin in PLUGIN_RESOURCES if plugin.table is cluster)
NODES_FAILED = "Deleting one or a more nodes have failed."


@dataclass(frozen=True)
class Cluster:
    """A cluster that Rancher has made."""

    id: int
    name: str
    uuid: UUID
    backend_id: str
    server: Service

    def __str__(self) -> str:
        return f"cluster {self.name} ({self.uuid.hex})"


def update_nodes(transaction: Transactions) -> None:
    """Bring details and states of the nodes of all clusters, and count them for the month. Nodes are never deleted."""
    with transaction() as work:
        stops = [Stop(str(found.server), str(found), found) for found in _due(work)]
    visit(transaction, stops, fetch, merge)
    with transaction() as work:
        warn_of_unbilled(work)


def _due(work: Work) -> list[Cluster]:
    """Clusters in whatever state, as long as Rancher has made them and they have nodes here."""
    due = (cluster.c.backend_id != "", exists().where(node.c.cluster_id == cluster.c.id))
    servers = servers_of(work, *due)
    columns = (cluster.c.id, cluster.c.name, cluster.c.uuid, cluster.c.backend_id, cluster.c.settings_id)
    return [
        Cluster(row.id, row.name, row.uuid, row.backend_id, servers[row.settings_id])
        for row in work.connection.execute(select(*columns).where(*due).order_by(cluster.c.id))
        if row.settings_id in servers
    ]


def fetch(visiting: Visit, place: Cluster) -> list[dict[str, Any]]:
    """What Rancher says of all nodes of a cluster, in one list: id, hostname, and values of our columns."""
    found = rancher_at(visiting, place.server).listed(f"clusters/{place.backend_id}/nodes", "nodes")
    return [facts_of(document) for document in found]


def merge(work: Work, place: Cluster, found: Sequence[dict[str, Any]]) -> None:
    """Write the nodes of one cluster; what follows from their states follows once, when all are known.

    A node that cannot be read keeps its row and state, and counts by it: it stops no other.
    """
    content_type = work.content_types(CLUSTER.app_label, CLUSTER.model)
    lock_in_marketplace(work, [(CLUSTER, content_type, cluster.c.id == place.id)])
    # Waited for: were it passed over when a node has failed, no later run would see that node change.
    work.connection.execute(select(cluster.c.id).where(cluster.c.id == place.id).with_for_update())
    rows = work.connection.execute(
        select(node).where(node.c.cluster_id == place.id).order_by(node.c.name).with_for_update()
    ).all()
    by_id = {facts["backend_id"]: facts for facts in found}
    for facts in found:
        if facts["problem"]:
            name = facts["hostname"] or facts["backend_id"]
            work.outcome.fail(f"node {name} of {place}", f"{facts['problem']}; its row stays as it is")
    ids = _ids(work, place, rows, found)
    written, changed = [], set()
    for row in rows:
        known = by_id.get(ids[row.id])
        if known is None and ids[row.id]:
            work.outcome.fail(f"node {row.name} of {place}", "is missing in Rancher; its row stays as it is")
        if known is None or known["problem"]:
            continue
        new = {name: getattr(row, name) if value is None else value for name, value in known["values"].items()}
        state = state_of(row.state, new["runtime_state"])
        if state != row.state:
            changed.add(state)
        written.append({"id": row.id, "backend_id": ids[row.id], "state": state, **new})
    write_nodes(work, written)
    if ERRED in changed:
        _fail_deletion(work, place, content_type)
    keep_usage(work, place.id, content_type, has_changed=bool(changed))


def _ids(work: Work, place: Cluster, rows: Sequence[Any], found: Sequence[dict[str, Any]]) -> dict[int, str]:
    """The id of each row at Rancher: where one is not known yet, all are told by the host's name."""
    ids = {row.id: row.backend_id for row in rows}
    if all(ids.values()):
        return ids
    by_name: defaultdict[str, list[str]] = defaultdict(list)
    for facts in found:
        by_name[facts["hostname"]].append(facts["backend_id"])
    for row in rows:
        candidates = by_name.get(row.name, [])
        if len(candidates) == 1:
            ids[row.id] = candidates[0]
        elif len(candidates) > 1 and row.backend_id not in candidates:
            work.outcome.warn(f"node {row.name} of {place}", f"could be {' or '.join(candidates)}: none is taken")
    return ids


def _fail_deletion(work: Work, place: Cluster, content_type: int) -> None:
    """A cluster cannot be deleted while its nodes cannot."""
    changes = no_changes(work, "changed_clusters")
    being_deleted = (cluster.c.id == place.id) & (cluster.c.state == DELETING)
    if set_state(work, CLUSTER, content_type, ERRED, where=being_deleted, changes=changes, error_message=NODES_FAILED):
        follow_plugins(work, changes)
