"""Routers, ports and floating addresses of a tenant (spec openstack, subresources 3, 6 and 7)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import case, func, literal, select

from waldur_dagster.marketplace.instance_facts import import_instances, keep_keys
from waldur_dagster.openstack.mirror import Mirror
from waldur_dagster.openstack.networks import ids_at_cloud, ids_of_ports, remove_ports
from waldur_dagster.openstack.providers import Sessions, Tenant
from waldur_dagster.openstack.rows import compact, content_type_of, is_stable, success
from waldur_dagster.platform.lengths import fitting
from waldur_dagster.platform.links import sync_links
from waldur_dagster.platform.plugin_resources import OK
from waldur_dagster.platform.plugin_rows import remove_rows
from waldur_dagster.schema import marketplace, openstack
from waldur_dagster.work import Work

router, port, floatingip = openstack.router, openstack.port, openstack.floatingip
ROUTER = ("name", "description", "routes", "fixed_ips")
PORT = (
    *("name", "description", "instance_id", "subnet_id", "network_id", "mac_address", "fixed_ips"),
    *("allowed_address_pairs", "device_id", "device_owner", "port_security_enabled", "status", "admin_state_up"),
)
FLOATING = ("address", "description", "backend_network_id", "runtime_state", "port_id")
# Addresses of the routers' own doings.
LINK_LOCAL = ("169.254", "fe80::")


def fetch_routers(sessions: Sessions, _: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tenant's routers, each with the addresses of its ports, most of which are not the tenant's own."""
    routers = sessions.tenant.listed("network", "/routers", "routers", tenant_id=sessions.place.backend_id)
    for document in routers:
        document["ports"] = sessions.tenant.listed("network", "/ports", "ports", device_id=document["id"])
    return routers


def merge_routers(work: Work, place: Tenant, fetched: Mapping[str, Any]) -> None:
    """Mirror the routers; the tenant's resource tells their addresses."""
    rows = [
        {
            "backend_id": document["id"],
            "name": fitting(work, router.c.name, document["name"]),
            "description": fitting(work, router.c.description, document.get("description")),
            "routes": compact(document["routes"]),
            "fixed_ips": compact(_addresses(document["ports"])),
        }
        for document in fetched["routers"]
    ]
    mirror = Mirror(work, place, router, rows, ROUTER)
    stale = mirror.stale()
    mirror.remove(stale)
    changed = mirror.update({"state": literal(OK)}, is_stable(router))
    made = mirror.insert()
    if stale or made or any(row.old_fixed_ips != row.new_fixed_ips for row in changed):
        _tell_addresses(work, place)


def fetch_ports(sessions: Sessions, _: Mapping[str, Any]) -> list[dict[str, Any]]:
    return sessions.tenant.listed("network", "/ports", "ports", tenant_id=sessions.place.backend_id)


def merge_ports(work: Work, place: Tenant, fetched: Mapping[str, Any]) -> None:
    """Mirror the ports with their security groups; the marketplace knows the addresses of their instances."""
    documents = fetched["ports"]
    subnets = {fixed["subnet_id"] for document in documents for fixed in document["fixed_ips"] if "subnet_id" in fixed}
    ids = {
        "instances": ids_at_cloud(work, openstack.instance, place),
        "subnets": ids_of_ports(work, openstack.subnet, place, subnets),
        "networks": ids_of_ports(work, openstack.network, place, {document["network_id"] for document in documents}),
        "groups": ids_at_cloud(work, openstack.securitygroup, place),
    }
    mirror = Mirror(work, place, port, [_port(work, document, ids) for document in documents], PORT)
    remove_ports(work, mirror.stale(port.c.backend_id != ""))
    changed = mirror.update({"state": literal(OK)}, is_stable(port))
    made = mirror.insert()
    _link_groups(work, place, documents, ids["groups"])
    reached = {row.new_instance_id for row in changed if _is_reached_otherwise(row)}
    reached |= {row.old_instance_id for row in changed if _is_reached_otherwise(row)}
    new = [row.id for row in made]
    if new:
        reached |= set(work.connection.scalars(select(port.c.instance_id).where(port.c.id.in_(new))))
    _import(work, reached)


def fetch_floating_ips(sessions: Sessions, _: Mapping[str, Any]) -> list[dict[str, Any]]:
    return sessions.tenant.listed("network", "/floatingips", "floatingips", tenant_id=sessions.place.backend_id)


def merge_floating_ips(work: Work, place: Tenant, fetched: Mapping[str, Any]) -> None:
    """Mirror the floating addresses, after the ports that they lead to; a name that somebody gave stays.

    Those that are gone go first: their address may have come back under another id.
    """
    ports = ids_at_cloud(work, port, place)
    rows = [
        {
            "backend_id": document["id"],
            "address": document["floating_ip_address"],
            "description": fitting(work, floatingip.c.description, document.get("description")),
            "backend_network_id": document["floating_network_id"] or "",
            "runtime_state": document["status"],
            "port_id": ports.get(document["port_id"]),
        }
        for document in fetched["floating ips"]
    ]
    mirror = Mirror(work, place, floatingip, rows, FLOATING)
    stale = mirror.stale()
    reached = set(_ports_of(work, stale))
    remove_rows(work, floatingip, stale)
    pulled = mirror.merge.pulled.c
    is_address = floatingip.c.name == func.host(floatingip.c.address)
    name = case((is_address, func.host(pulled.address)), else_=floatingip.c.name)
    changed = mirror.update({"name": name} | success(floatingip), is_stable(floatingip))
    made = mirror.insert(name=func.host(pulled.address))
    for row in changed:
        if row.old_address != row.new_address or row.old_port_id != row.new_port_id:
            reached |= {row.old_port_id, row.new_port_id}
    reached |= set(_ports_of(work, [row.id for row in made]))
    reached.discard(None)
    if reached:
        _import(work, work.connection.scalars(select(port.c.instance_id).where(port.c.id.in_(reached))))


def _addresses(ports: Iterable[Mapping[str, Any]]) -> list[str]:
    found = (fixed["ip_address"] for document in ports for fixed in document["fixed_ips"])
    return [address for address in found if not address.startswith(LINK_LOCAL)]


def _tell_addresses(work: Work, place: Tenant) -> None:
    """Both keys of the tenant's resource, made anew from its routers (spec 0.5)."""
    resource = marketplace.resource
    found = work.connection.execute(
        select(resource.c.id, resource.c.backend_metadata).where(
            resource.c.content_type_id == content_type_of(work, openstack.tenant), resource.c.object_id == place.id
        )
    ).one_or_none()
    if found is None:
        return
    rows = work.connection.execute(
        select(router.c.uuid, router.c.fixed_ips).where(router.c.tenant_id == place.id).order_by(router.c.id)
    )
    routers = {row.uuid.hex: json.loads(row.fixed_ips or "[]") for row in rows}
    known = found.backend_metadata if isinstance(found.backend_metadata, dict) else {}
    if routers or {"routers", "router_fixed_ips"} & set(known):
        addresses = sorted({str(address) for own in routers.values() for address in own})
        keep_keys(work, {found.id: {"routers": routers, "router_fixed_ips": addresses}})


def _port(work: Work, document: Mapping[str, Any], ids: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    fixed = document["fixed_ips"]
    return {
        "backend_id": document["id"],
        "name": fitting(work, port.c.name, document["name"]),
        "description": fitting(work, port.c.description, document.get("description")),
        "instance_id": ids["instances"].get(document["device_id"]),
        "subnet_id": ids["subnets"].get(fixed[0].get("subnet_id")) if fixed else None,
        "network_id": ids["networks"].get(document["network_id"]),
        "mac_address": document["mac_address"],
        "fixed_ips": compact(fixed),
        "allowed_address_pairs": compact(document.get("allowed_address_pairs") or []),
        "device_id": document["device_id"],
        "device_owner": document["device_owner"],
        "port_security_enabled": document.get("port_security_enabled", True),
        "status": document.get("status"),
        "admin_state_up": document.get("admin_state_up"),
    }


def _link_groups(work: Work, place: Tenant, documents: Sequence[Mapping[str, Any]], groups: Mapping[str, int]) -> None:
    stable = select(port.c.backend_id, port.c.id).where(port.c.tenant_id == place.id, is_stable(port))
    listed = {document["id"]: document.get("security_groups") or [] for document in documents}
    owners = {row.id: row.backend_id for row in work.connection.execute(stable) if row.backend_id in listed}
    wanted = {(id, groups[name]) for id, found in owners.items() for name in listed[found] if name in groups}
    sync_links(work, openstack.port_security_groups, wanted, list(owners))


def _is_reached_otherwise(row: Any) -> bool:
    return bool(row.old_fixed_ips != row.new_fixed_ips or row.old_instance_id != row.new_instance_id)


def _ports_of(work: Work, ids: Sequence[int]) -> list[int | None]:
    if not ids:
        return []
    return list(work.connection.scalars(select(floatingip.c.port_id).where(floatingip.c.id.in_(ids))))


def _import(work: Work, instances: Iterable[int | None]) -> None:
    known = {one for one in instances if one is not None}
    if known:
        import_instances(work, known)
