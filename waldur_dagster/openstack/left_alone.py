"""What newer versions of Waldur pull from clouds, and this program does not (spec newer, family openstack)."""

from __future__ import annotations

from collections.abc import Iterable

# Models of Waldur's app openstack; the first six are those that its pull of subresources mirrors after the routers.
KINDS = (
    *("loadbalancer", "listener", "pool", "poolmember", "healthmonitor", "networkrbacpolicy"),
    *("externalnetwork", "externalsubnet", "hypervisor", "hypervisorinventory"),
)


def left_alone(tables: Iterable[str]) -> list[str]:
    """Those of a site's tables that nothing pulls: load balancers with their parts, RBAC policies, and what a provider
    has of external networks and hypervisors."""
    names = {f"openstack_{kind}" for kind in KINDS}
    return sorted(table for table in tables if table in names)
