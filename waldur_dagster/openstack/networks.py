"""Networks and subnets of a tenant (spec openstack, subresources 4 and 5)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Table, select, update

from waldur_dagster.marketplace.instance_facts import import_instances
from waldur_dagster.openstack.events import log_pull
from waldur_dagster.openstack.mirror import Mirror
from waldur_dagster.openstack.providers import Sessions, Tenant
from waldur_dagster.openstack.rows import compact, content_type_of, success
from waldur_dagster.platform.lengths import fitting
from waldur_dagster.platform.plugin_rows import remove_rows
from waldur_dagster.schema import marketplace, openstack
from waldur_dagster.work import Work

network, subnet, port = openstack.network, openstack.subnet, openstack.port
NETWORK = (
    *("name", "description", "is_external", "runtime_state", "mtu", "type", "segmentation_id"),
    "port_security_enabled",
)
SUBNET = (
    *("name", "description", "allocation_pools", "cidr", "ip_version"),
    *("enable_dhcp", "gateway_ip", "dns_nameservers", "host_routes"),
)
MTU = "default_internal_network_mtu"


def fetch_networks(sessions: Sessions, _: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Only administrators are told of a network's type and segment."""
    return sessions.admin.listed("network", "/networks", "networks", tenant_id=sessions.place.backend_id)


def merge_networks(work: Work, place: Tenant, fetched: Mapping[str, Any]) -> None:
    """Mirror the networks, in whatever state they are; one that is gone takes its subnets and ports along."""
    rows = [
        {
            "backend_id": document["id"],
            "name": fitting(work, network.c.name, document["name"]),
            "description": fitting(work, network.c.description, document.get("description")),
            "is_external": bool(document["router:external"]),
            "runtime_state": document["status"],
            "mtu": document.get("mtu"),
            "type": document.get("provider:network_type") or "",
            "segmentation_id": document.get("provider:segmentation_id") or None,
            "port_security_enabled": document.get("port_security_enabled", True),
        }
        for document in fetched["networks"]
    ]
    mirror = Mirror(work, place, network, rows, NETWORK)
    stale = mirror.stale()
    remove_subnets(work, _ids(work, subnet, subnet.c.network_id.in_(stale)) if stale else [])
    remove_ports(work, _ids(work, port, port.c.network_id.in_(stale)) if stale else [])
    mirror.remove(stale)
    mirror.update(success(network))
    made = [row.id for row in mirror.insert()]
    _default_mtu(work, place, made)


def fetch_subnets(sessions: Sessions, fetched: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tenants without networks have no subnets."""
    if not fetched["networks"]:
        return []
    return sessions.admin.listed("network", "/subnets", "subnets", tenant_id=sessions.place.backend_id)


def merge_subnets(work: Work, place: Tenant, fetched: Mapping[str, Any]) -> None:
    """Mirror the subnets of the tenant's own networks, in whatever state they are."""
    networks = ids_at_cloud(work, network, place)
    rows = [
        _subnet(work, document, networks[document["network_id"]])
        for document in fetched["subnets"]
        if document["network_id"] in networks
    ]
    mirror = Mirror(work, place, subnet, rows, SUBNET, key=("network_id", "backend_id"))
    remove_subnets(work, mirror.stale())
    mirror.update(success(subnet))
    mirror.insert(is_connected=True, disable_gateway=False)


def remove_subnets(work: Work, ids: Sequence[int]) -> None:
    """Delete subnets with their ports, each with its own events."""
    if ids:
        remove_ports(work, _ids(work, port, port.c.subnet_id.in_(ids)))
        log_pull(work, subnet, ids, "cleaned")
        remove_rows(work, subnet, ids)


def remove_ports(work: Work, ids: Sequence[int]) -> None:
    """Delete ports; the marketplace knows the addresses of their instances."""
    if ids:
        of_ports = select(port.c.instance_id).where(port.c.id.in_(ids), port.c.instance_id.is_not(None)).distinct()
        instances = work.connection.scalars(of_ports).all()
        remove_rows(work, port, ids)
        if instances:
            import_instances(work, instances)


def ids_at_cloud(work: Work, table: Table, place: Tenant) -> dict[str, int]:
    """The tenant's rows of a table by their ids at the cloud."""
    rows = select(table.c.backend_id, table.c.id).where(table.c.tenant_id == place.id, table.c.backend_id != "")
    return {row.backend_id: row.id for row in work.connection.execute(rows)}


def shares_networks(work: Work) -> bool:
    """Whether the site's Waldur knows that a tenant's ports can be in networks of other tenants."""
    return work.schema.has_column(network.c.port_security_enabled)


def ids_of_ports(work: Work, table: Table, place: Tenant, named: Collection[str]) -> dict[str, int]:
    """The networks or subnets that a tenant's ports name, by their ids at the cloud; of two rows its own counts."""
    if not shares_networks(work):
        return ids_at_cloud(work, table, place)
    rows = (
        select(table.c.backend_id, table.c.id)
        .where(table.c.service_settings_id == place.provider.id, table.c.backend_id.in_(set(named) - {""}))
        .order_by(table.c.tenant_id == place.id, table.c.id)
    )
    return {row.backend_id: row.id for row in work.connection.execute(rows)}


def _subnet(work: Work, document: Mapping[str, Any], network_id: int) -> dict[str, Any]:
    routes = sorted(document["host_routes"], key=lambda route: tuple(map(str, route.values())))
    return {
        "network_id": network_id,
        "backend_id": document["id"],
        "name": fitting(work, subnet.c.name, document["name"]),
        "description": fitting(work, subnet.c.description, document.get("description")),
        "allocation_pools": compact(document["allocation_pools"]),
        "cidr": document["cidr"],
        "ip_version": document["ip_version"],
        "enable_dhcp": document["enable_dhcp"],
        "gateway_ip": document["gateway_ip"],
        "dns_nameservers": compact(document["dns_nameservers"]),
        "host_routes": compact(routes),
    }


def _default_mtu(work: Work, place: Tenant, ids: Sequence[int]) -> None:
    """New networks have the MTU that the tenant's offering wants, until the next pull (spec 0.5)."""
    if not ids:
        return
    resource, offering = marketplace.resource, marketplace.offering
    wanted = work.connection.scalar(
        select(offering.c.plugin_options[MTU].astext)
        .join_from(resource, offering, offering.c.id == resource.c.offering_id)
        .where(resource.c.content_type_id == content_type_of(work, openstack.tenant), resource.c.object_id == place.id)
    )
    if wanted and wanted.isdigit():
        work.execute(update(network).where(network.c.id.in_(ids)).values(mtu=int(wanted)))


def _ids(work: Work, table: Table, where: Any) -> list[int]:
    return list(work.connection.scalars(select(table.c.id).where(where).order_by(table.c.id)))
