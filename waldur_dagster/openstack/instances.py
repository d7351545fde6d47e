"""Servers of a tenant that the site knows (spec openstack, openstack-tenant-resources-list-pull-task)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import DateTime, and_, case, cast, func, null, select

from waldur_dagster.clients.failures import NotFound
from waldur_dagster.marketplace.instance_facts import import_instances, keep_host
from waldur_dagster.openstack.providers import Sessions, Tenant
from waldur_dagster.openstack.rows import follow_rows, is_stable, mark_missing, mib, success
from waldur_dagster.platform.lengths import fitting
from waldur_dagster.platform.links import sync_links
from waldur_dagster.platform.merge import Merge
from waldur_dagster.platform.plugin_resources import ERRED
from waldur_dagster.schema import openstack
from waldur_dagster.work import Work

instance, flavor, volume = openstack.instance, openstack.flavor, openstack.volume
zone, port, subnet, network = (
    openstack.instanceavailabilityzone,
    openstack.port,
    openstack.subnet,
    openstack.network,
)
LONGEST_ADDRESSES = 255  # characters of a column
OF_FLAVOR = ("flavor_name", "flavor_disk", "cores", "ram", "disk")
PULLED = ("runtime_state", "hypervisor_hostname", "directly_connected_ips", "availability_zone_id")


def known_flavors(work: Work) -> dict[int, frozenset[str]]:
    """The ids of the flavors that the site knows, by cloud: these need not be asked for."""
    found: dict[int, set[str]] = {}
    for row in work.connection.execute(select(flavor.c.settings_id, flavor.c.backend_id)):
        found.setdefault(row.settings_id, set()).add(row.backend_id)
    return {settings: frozenset(ids) for settings, ids in found.items()}


def fetch_instances(
    sessions: Sessions, _: Mapping[str, Any], known: Mapping[int, frozenset[str]]
) -> list[dict[str, Any]]:
    """All servers of the tenant, each with its security groups; only administrators are told of their hosts."""
    project = sessions.place.backend_id
    servers = sessions.admin.listed("compute", "/servers/detail", "servers", all_tenants=1, project_id=project)
    found = [_server(document) for document in servers]
    groups = _groups_of_ports(sessions) if found else {}
    for server in found:
        id = server["backend_id"]
        server["security_groups"] = groups[id] if id in groups else _groups(sessions, id)
    unknown = {server["flavor"] for server in found} - known.get(sessions.place.provider.id, frozenset()) - {""}
    flavors = {flavor_id: _flavor(sessions, flavor_id) for flavor_id in sorted(unknown)}
    for server in found:
        server["flavor_at_cloud"] = flavors.get(server["flavor"])
    return found


def merge_instances(work: Work, place: Tenant, fetched: Mapping[str, Any]) -> None:
    """Update the instances that are OK or erred; those that the cloud does not have become erred."""
    servers = fetched["servers"]
    rows = _rows(work, place, servers, fetched["volumes"]["sizes"] if "volumes" in fetched else None)
    made = Merge(
        work,
        instance,
        rows,
        key=["backend_id"],
        columns=[*PULLED, *OF_FLAVOR],
        scope=instance.c.tenant_id == place.id,
    )
    gone = mark_missing(work, instance, made.stale(is_stable(instance)))
    pulled = made.pulled.c
    began = case(
        (and_(pulled.runtime_state == "ACTIVE", instance.c.runtime_state != "ACTIVE"), work.as_of),
        (and_(pulled.runtime_state == "SHUTOFF", instance.c.runtime_state != "SHUTOFF"), cast(null(), DateTime(True))),
        else_=instance.c.start_time,
    )
    changed = made.update(
        {name: pulled[name] for name in PULLED}
        | {name: func.coalesce(pulled[name], instance.c[name]) for name in OF_FLAVOR}
        | {"start_time": began}
        | success(instance),
        also={"modified": work.as_of},
        where=is_stable(instance),
    )
    _link_groups(work, place, servers)
    moved = [(row.id, row.old_state, row.new_state) for row in changed if _is_told(row)]
    follow_rows(work, instance, [*moved, *((row.id, row.old_state, ERRED) for row in gone)])
    hosts = {
        row.id: row.new_hypervisor_hostname
        for row in changed
        if row.old_hypervisor_hostname != row.new_hypervisor_hostname
    }
    if hosts:
        keep_host(work, hosts)
    reached = [row.id for row in changed if row.old_directly_connected_ips != row.new_directly_connected_ips]
    if reached:
        import_instances(work, reached)


def _is_told(row: Any) -> bool:
    return bool(row.old_state != row.new_state or row.old_runtime_state != row.new_runtime_state)


def _server(document: Mapping[str, Any]) -> dict[str, Any]:
    attached = document.get("os-extended-volumes:volumes_attached") or []
    return {
        "backend_id": str(document["id"]),
        "runtime_state": document["status"],
        "zone": document.get("OS-EXT-AZ:availability_zone") or "",
        "hypervisor_hostname": document.get("OS-EXT-SRV-ATTR:hypervisor_hostname") or "",
        "flavor": str((document.get("flavor") or {}).get("id") or ""),
        "volumes": [str(volume["id"]) for volume in attached],
        "addresses": [
            (name, [entry["addr"] for entry in entries]) for name, entries in (document.get("addresses") or {}).items()
        ],
    }


def _groups_of_ports(sessions: Sessions) -> dict[str, list[str]]:
    """The ids of security groups by what has the tenant's ports: nova looks those of a server up in the same way."""
    wanted = {"tenant_id": sessions.place.backend_id, "fields": ["id", "device_id", "security_groups"]}
    found: dict[str, list[str]] = {}
    for port in sessions.tenant.listed("network", "/ports", "ports", **wanted):
        found.setdefault(str(port["device_id"]), []).extend(map(str, port["security_groups"] or []))
    return found


def _groups(sessions: Sessions, server: str) -> list[str] | None:
    """Those of a server that has no port of the tenant's own; None when it was deleted a moment ago."""
    try:
        answer = sessions.tenant.get("compute", f"/servers/{server}/os-security-groups")
    except NotFound:
        return None
    return [str(group["id"]) for group in answer["security_groups"]]


def _flavor(sessions: Sessions, flavor_id: str) -> dict[str, Any] | None:
    """A flavor as the cloud has it; None when it is gone."""
    try:
        found = sessions.tenant.get("compute", f"/flavors/{flavor_id}")["flavor"]
    except NotFound:
        return None
    return {"name": found["name"], "cores": found["vcpus"], "ram": found["ram"], "disk": mib(found["disk"])}


def _rows(
    work: Work, place: Tenant, servers: list[dict[str, Any]], sizes: Mapping[str, int] | None
) -> list[dict[str, Any]]:
    """``sizes`` are those that cinder has told, None when it has not answered."""
    settings = place.provider.id
    flavors = _known_flavors(work, settings, {server["flavor"] for server in servers})
    known_sizes = dict(sizes or {}) | _known_sizes(work, place)
    zones = _known_zones(work, settings, {server["zone"] for server in servers})
    own_networks, addresses = _own_networks(work, place), _known_addresses(work, place)
    rows = []
    for server in servers:
        name = server["backend_id"]
        figures = flavors.get(server["flavor"]) or server["flavor_at_cloud"]
        direct = _direct(server["addresses"], own_networks.get(name, set()))
        known = addresses.get(name) or ""
        if sorted(direct.split(",")) == sorted(known.split(",")):
            direct = known
        rows.append(
            {
                "backend_id": name,
                "runtime_state": server["runtime_state"],
                "hypervisor_hostname": server["hypervisor_hostname"],
                "availability_zone_id": zones.get(server["zone"]),
                "directly_connected_ips": direct,
                "flavor_name": figures and fitting(work, instance.c.flavor_name, figures["name"]),
                "flavor_disk": figures and figures["disk"],
                "cores": figures and figures["cores"],
                "ram": figures and figures["ram"],
                "disk": figures and _disk(server["volumes"], known_sizes, whole=sizes is not None),
            }
        )
    return rows


def _disk(volumes: Iterable[str], sizes: Mapping[str, int], *, whole: bool) -> int | None:
    """All volumes of a server; one that cinder does not have counts for nothing. None: nobody knows the size of one."""
    found = [sizes.get(one) for one in volumes]
    return sum(size or 0 for size in found) if whole or None not in found else None


def _direct(networks: Iterable[tuple[str, list[str]]], own: Collection[str]) -> str:
    """Addresses in networks in which the instance has no port that the site knows."""
    found = [address for name, addresses in networks if name not in own for address in addresses]
    while len(text := ",".join(found)) > LONGEST_ADDRESSES:
        found.pop()
    return text


def _known_flavors(work: Work, settings: int, ids: Collection[str]) -> dict[str, dict[str, Any]]:
    columns = (flavor.c.backend_id, flavor.c.name, flavor.c.cores, flavor.c.ram, flavor.c.disk)
    rows = select(*columns).where(flavor.c.settings_id == settings, flavor.c.backend_id.in_(ids))
    return {row.backend_id: dict(row._mapping) for row in work.connection.execute(rows)}


def _known_sizes(work: Work, place: Tenant) -> dict[str, int]:
    rows = select(volume.c.backend_id, volume.c.size).where(volume.c.tenant_id == place.id)
    return {row.backend_id: row.size for row in work.connection.execute(rows)}


def _known_zones(work: Work, settings: int, names: Collection[str]) -> dict[str, int]:
    rows = select(zone.c.name, zone.c.id).where(zone.c.settings_id == settings, zone.c.name.in_(names))
    return {row.name: row.id for row in work.connection.execute(rows)}


def _own_networks(work: Work, place: Tenant) -> dict[str, set[str]]:
    rows = (
        select(instance.c.backend_id, network.c.name)
        .join_from(instance, port, port.c.instance_id == instance.c.id)
        .join(subnet, subnet.c.id == port.c.subnet_id)
        .join(network, network.c.id == subnet.c.network_id)
        .where(instance.c.tenant_id == place.id)
    )
    found: dict[str, set[str]] = {}
    for row in work.connection.execute(rows):
        found.setdefault(row.backend_id, set()).add(row.name)
    return found


def _known_addresses(work: Work, place: Tenant) -> dict[str, str]:
    rows = select(instance.c.backend_id, instance.c.directly_connected_ips).where(instance.c.tenant_id == place.id)
    return {row.backend_id: row.directly_connected_ips for row in work.connection.execute(rows)}


def _link_groups(work: Work, place: Tenant, servers: list[dict[str, Any]]) -> None:
    group = openstack.securitygroup
    groups = dict(
        work.connection.execute(select(group.c.backend_id, group.c.id).where(group.c.tenant_id == place.id)).all()
    )
    listed = {s["backend_id"]: s["security_groups"] for s in servers if s["security_groups"] is not None}
    known = select(instance.c.backend_id, instance.c.id).where(instance.c.tenant_id == place.id, is_stable(instance))
    owners = {row.id: row.backend_id for row in work.connection.execute(known) if row.backend_id in listed}
    wanted = {(id, groups[name]) for id, server in owners.items() for name in listed[server] if name in groups}
    sync_links(work, openstack.instance_security_groups, wanted, list(owners))
