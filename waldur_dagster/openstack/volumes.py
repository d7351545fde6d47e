"""Volumes and snapshots of a tenant that the site knows (spec openstack, openstack-tenant-resources-list-pull-task)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Table, select

from waldur_dagster.clients.failures import NotFound
from waldur_dagster.openstack.providers import Sessions, Tenant
from waldur_dagster.openstack.rows import compact, follow_rows, is_stable, mark_missing, mib, success
from waldur_dagster.platform.lengths import fitting
from waldur_dagster.platform.merge import Merge
from waldur_dagster.platform.plugin_resources import ERRED
from waldur_dagster.schema import openstack
from waldur_dagster.work import Work

volume, snapshot, instance = openstack.volume, openstack.snapshot, openstack.instance
NO_IMAGE = '""'  # what Waldur keeps of a volume without metadata of an image
VOLUME = (
    *("name", "description", "size", "metadata", "type_id", "bootable", "runtime_state", "availability_zone_id"),
    *("device", "instance_id", "image_metadata", "image_id", "image_name"),
)
SNAPSHOT = ("name", "description", "size", "metadata", "runtime_state", "source_volume_id")
# Changes that the marketplace is told of.
TOLD = ("state", "runtime_state", "name", "size", "instance_id", "type_id")


def fetch_volumes(sessions: Sessions, fetched: Mapping[str, Any]) -> dict[str, Any]:
    """All volumes of the tenant (``listed``), and the ``sizes`` in MiB of those that servers have, by id.

    A volume that is attached and not listed is asked for; one that is gone has no size.
    """
    listed = sessions.tenant.listed("block_storage", "/volumes/detail", "volumes")
    sizes = {str(document["id"]): mib(document["size"]) for document in listed}
    attached = {one for server in fetched["servers"] for one in server["volumes"]}
    for one in sorted(attached - set(sizes)):
        try:
            sizes[one] = mib(sessions.tenant.get("block_storage", f"/volumes/{one}")["volume"]["size"])
        except NotFound:
            continue
    return {"listed": listed, "sizes": sizes}


def fetch_snapshots(sessions: Sessions, _: Mapping[str, Any]) -> list[dict[str, Any]]:
    return sessions.tenant.listed("block_storage", "/snapshots/detail", "snapshots")


def merge_volumes(work: Work, place: Tenant, fetched: Mapping[str, Any]) -> None:
    """Update the volumes that are OK or erred; those that the cloud does not have become erred."""
    documents = fetched["volumes"]["listed"]
    of_cloud = {
        "types": (openstack.volumetype, "name"),
        "zones": (openstack.volumeavailabilityzone, "name"),
        "images": (openstack.image, "backend_id"),
    }
    ids = {
        name: _only(work, table, column, table.c.settings_id == place.provider.id)
        for name, (table, column) in of_cloud.items()
    }
    ids["instances"] = _only(work, instance, "backend_id", instance.c.tenant_id == place.id)
    rows = [_volume(work, document, ids) for document in documents]
    made = _merge(work, place, volume, rows, VOLUME)
    gone = mark_missing(work, volume, made.stale(is_stable(volume)))
    changed = _update(work, made, VOLUME)
    told = [
        (row.id, row.old_state, row.new_state)
        for row in changed
        if any(getattr(row, f"old_{name}") != getattr(row, f"new_{name}") for name in TOLD)
    ]
    follow_rows(work, volume, [*told, *((row.id, row.old_state, ERRED) for row in gone)])


def merge_snapshots(work: Work, place: Tenant, fetched: Mapping[str, Any]) -> None:
    """Update the snapshots that are OK or erred; those that the cloud does not have become erred."""
    volumes = _only(work, volume, "backend_id", volume.c.tenant_id == place.id)
    rows = [
        {
            "backend_id": str(document["id"]),
            "name": fitting(work, snapshot.c.name, document["name"]),
            "description": fitting(work, snapshot.c.description, document["description"]),
            "size": mib(document["size"]),
            "metadata": compact(document.get("metadata") or {}),
            "runtime_state": document["status"],
            "source_volume_id": volumes.get(document["volume_id"]),
        }
        for document in fetched["snapshots"]
    ]
    made = _merge(work, place, snapshot, rows, SNAPSHOT)
    mark_missing(work, snapshot, made.stale(is_stable(snapshot)))
    _update(work, made, SNAPSHOT)


def _volume(work: Work, document: Mapping[str, Any], ids: Mapping[str, Mapping[Any, int]]) -> dict[str, Any]:
    attachment: Mapping[str, Any] = next(iter(document.get("attachments") or []), {})
    of_image = document.get("volume_image_metadata")
    image = of_image or {}
    return {
        "backend_id": str(document["id"]),
        "name": fitting(work, volume.c.name, document["name"]),
        "description": fitting(work, volume.c.description, document["description"]),
        "size": mib(document["size"]),
        "metadata": compact(document.get("metadata") or {}),
        "type_id": ids["types"].get(document.get("volume_type")),
        "bootable": str(document["bootable"]).lower() == "true",
        "runtime_state": document["status"],
        "availability_zone_id": ids["zones"].get(document.get("availability_zone")),
        "device": fitting(work, volume.c.device, attachment.get("device")),
        "instance_id": ids["instances"].get(attachment.get("server_id")),
        "image_metadata": NO_IMAGE if of_image is None else compact(of_image),
        "image_id": ids["images"].get(image.get("image_id")),
        "image_name": fitting(work, volume.c.image_name, image.get("image_name")),
    }


def _merge(work: Work, place: Tenant, table: Table, rows: list[dict[str, Any]], columns: Collection[str]) -> Merge:
    return Merge(work, table, rows, key=["backend_id"], columns=list(columns), scope=table.c.tenant_id == place.id)


def _update(work: Work, made: Merge, columns: Collection[str]) -> list[Any]:
    values = {name: made.pulled.c[name] for name in columns} | success(made.table)
    return made.update(values, also={"modified": work.as_of}, where=is_stable(made.table))


def _only(work: Work, table: Table, column: str, where: Any) -> dict[Any, int]:
    """Ids by the value of a column; a value that several rows have is left out."""
    found: dict[Any, int | None] = {}
    for row in work.connection.execute(select(table.c[column], table.c.id).where(where)):
        found[row[0]] = None if row[0] in found else row.id
    return {value: id for value, id in found.items() if id is not None}
