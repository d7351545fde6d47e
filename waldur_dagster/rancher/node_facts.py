"""What is kept of a node, and the state that follows from it (spec rancher_support, update-clusters-nodes 2 and 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import case, select, update

from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.platform.plugin_resources import CREATING, DELETING, DELETION_SCHEDULED, ERRED, OK
from waldur_dagster.rancher.quantities import cores, mib, whole
from waldur_dagster.schema.rancher import node
from waldur_dagster.work import Work

STATES = {"active": OK, "registering": CREATING, "unavailable": CREATING, "": CREATING}
COLUMNS = (
    *("labels", "annotations", "docker_version", "k8s_version", "runtime_state"),
    *("cpu_allocated", "cpu_total", "ram_allocated", "ram_total", "pods_allocated", "pods_total"),
)


def facts_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """A node of Rancher: backend_id, hostname, and the values of columns; None where the old value is to stay.

    One of an unknown form has no values at all, and a problem.
    """
    hostname = document.get("requestedHostname")
    facts = {"backend_id": str(document["id"]), "hostname": hostname if isinstance(hostname, str) else ""}
    try:
        return facts | {"values": _values(document), "problem": ""}
    except (KeyError, TypeError, AttributeError) as error:
        return facts | {"values": None, "problem": f"has an unknown form: {type(error).__name__} {error}"}


def _values(document: Mapping[str, Any]) -> dict[str, Any]:
    info = document.get("info") or {}
    requested, allocatable = document.get("requested") or {}, document.get("allocatable") or {}
    return {
        "labels": _object(document.get("labels")),
        "annotations": _object(document.get("annotations")),
        "docker_version": _text((info.get("os") or {}).get("dockerVersion")),
        "k8s_version": _text((info.get("kubernetes") or {}).get("kubeletVersion")),
        "runtime_state": _text(document.get("state")),
        "cpu_allocated": cores(requested.get("cpu")),
        "cpu_total": whole(allocatable.get("cpu")),
        "ram_allocated": mib(requested.get("memory")),
        "ram_total": mib(allocatable.get("memory")),
        "pods_allocated": whole(requested.get("pods")),
        "pods_total": whole(allocatable.get("pods")),
    }


def state_of(state: int, runtime_state: str) -> int:
    """The state that Rancher's own means; a node that is being deleted keeps its."""
    return state if state in (DELETION_SCHEDULED, DELETING) else STATES.get(runtime_state, ERRED)


def write_nodes(work: Work, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write nodes as they were seen just now; the error of one that has recovered goes."""
    if not rows:
        return
    columns = ("backend_id", "state", *COLUMNS)
    given = given_rows(rows, id=node.c.id.type, **{name: node.c[name].type for name in columns})
    new = select(given).subquery("new")
    recovers = (new.c.state == OK) & (node.c.state != OK)
    work.execute(
        update(node)
        .where(node.c.id == new.c.id)
        .values(
            {name: new.c[name] for name in columns}
            | {name: case((recovers, ""), else_=node.c[name]) for name in ("error_message", "error_traceback")}
            | {"modified": work.as_of}
        )
    )


def _object(value: Any) -> dict[str, Any] | None:
    return value if value and isinstance(value, dict) else None


def _text(value: Any) -> str | None:
    return str(value)[:255] if value else None
