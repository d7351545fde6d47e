"""openstack-tenant-subresources-list-pull-task: groups, networks, routers, ports and addresses of tenants."""

from __future__ import annotations

from waldur_dagster.openstack import groups, networks, ports
from waldur_dagster.openstack.tenant_pulls import Kind, pull_tenants
from waldur_dagster.site import Transactions

KINDS = (
    Kind("security groups", groups.fetch_security_groups, groups.merge_security_groups),
    Kind("server groups", groups.fetch_server_groups, groups.merge_server_groups),
    Kind("networks", networks.fetch_networks, networks.merge_networks),
    Kind("subnets", networks.fetch_subnets, networks.merge_subnets),
    Kind("routers", ports.fetch_routers, ports.merge_routers),
    Kind("ports", ports.fetch_ports, ports.merge_ports),
    Kind("floating ips", ports.fetch_floating_ips, ports.merge_floating_ips),
)


def pull_tenant_subresources(transaction: Transactions) -> None:
    """Mirror what tenants have besides servers and volumes: imported, updated and deleted as the clouds say."""
    pull_tenants(transaction, KINDS)
