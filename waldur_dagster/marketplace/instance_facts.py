"""What the marketplace knows of virtual machines beside their state: addresses, image, host (spec openstack 0.5)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Integer, select
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.marketplace.plugin_coupling import copy_facts, keep_metadata
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.schema import marketplace, openstack
from waldur_dagster.work import Work

resource, instance, volume = marketplace.resource, openstack.instance, openstack.volume
port, floatingip, image = openstack.port, openstack.floatingip, openstack.image


def import_instances(work: Work, ids: Collection[int] | None = None) -> None:
    """Bring the resources of these instances (all, when None) in line with all that is known of them.

    State, actions, name and id as for every plugin; internal_ips are those of the instance's ports, external_ips those
    of its floating addresses and of its direct connections, system_volume_image_name that of its first bootable
    volume, where one is known. What agrees is not written. Statements: constant.
    """
    content_type = work.content_types("openstack", "instance")
    chosen = select(resource.c.content_type_id, resource.c.object_id, resource.c.id.label("resource_id")).where(
        resource.c.content_type_id == content_type
    )
    if ids is not None:
        chosen = chosen.where(resource.c.object_id.in_(ids))
    rows = work.connection.execute(
        chosen.add_columns(resource.c.backend_metadata, instance.c.directly_connected_ips).join(
            instance, instance.c.id == resource.c.object_id
        )
    ).all()
    if not rows:
        return
    known = {row.object_id for row in rows}
    copy_facts(work, chosen.where(resource.c.object_id.in_(known)).subquery("of_instances"))
    internal, floating, images = _addresses(work, known), _floating(work, known), _images(work, known)
    keep_keys(
        work,
        {
            row.resource_id: _keys(
                row, internal.get(row.object_id, []), floating.get(row.object_id, set()), images.get(row.object_id)
            )
            for row in rows
        },
    )


def keep_keys(work: Work, keys: Mapping[int, Mapping[str, Any]]) -> None:
    """Set keys of the backend metadata of resources, by their ids."""
    rows = [{"resource_id": id, "metadata": metadata} for id, metadata in keys.items()]
    if rows:
        keep_metadata(work, given_rows(rows, resource_id=Integer, metadata=JSONB))


def keep_host(work: Work, hosts: Mapping[int, str]) -> None:
    """The host of each instance (by its id), for its resource."""
    content_type = work.content_types("openstack", "instance")
    found = select(resource.c.id, resource.c.object_id).where(
        resource.c.content_type_id == content_type, resource.c.object_id.in_(hosts)
    )
    keep_keys(work, {row.id: {"hypervisor_hostname": hosts[row.object_id]} for row in work.connection.execute(found)})


def _keys(row: Any, internal: list[str], floating: set[str], image_name: str | None) -> dict[str, Any]:
    direct = {address for address in row.directly_connected_ips.split(",") if address}
    external = sorted((floating | direct) - set(internal))
    metadata = row.backend_metadata if isinstance(row.backend_metadata, dict) else {}
    kept = metadata.get("external_ips")
    if isinstance(kept, list) and sorted(map(str, kept)) == external:
        external = kept  # the same addresses in another order are no news
    keys: dict[str, Any] = {"internal_ips": internal, "external_ips": external}
    return keys | ({"system_volume_image_name": image_name} if image_name else {})


def _addresses(work: Work, ids: Collection[int]) -> dict[int, list[str]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    rows = select(port.c.instance_id, port.c.fixed_ips).where(port.c.instance_id.in_(ids)).order_by(port.c.id)
    for row in work.connection.execute(rows):
        found[row.instance_id] += addresses_of(row.fixed_ips)
    return found


def addresses_of(fixed_ips: str) -> list[str]:
    """The addresses of a port, whose column is a text that should hold JSON."""
    try:
        entries = json.loads(fixed_ips or "[]")
    except ValueError:
        return []
    return [entry["ip_address"] for entry in entries if isinstance(entry, dict) and entry.get("ip_address")]


def _floating(work: Work, ids: Collection[int]) -> dict[int, set[str]]:
    found: defaultdict[int, set[str]] = defaultdict(set)
    rows = (
        select(port.c.instance_id, floatingip.c.address)
        .join_from(floatingip, port, port.c.id == floatingip.c.port_id)
        .where(port.c.instance_id.in_(ids), floatingip.c.address.is_not(None))
    )
    for row in work.connection.execute(rows):
        found[row.instance_id].add(str(row.address))
    return found


def _images(work: Work, ids: Collection[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    bootable = (
        select(volume.c.instance_id, volume.c.image_name, image.c.name)
        .join_from(volume, image, image.c.id == volume.c.image_id, isouter=True)
        .where(volume.c.instance_id.in_(ids), volume.c.bootable)
        .order_by(volume.c.id)
    )
    for row in work.connection.execute(bootable):
        found.setdefault(row.instance_id, row.image_name or row.name or "")
    return found
