"""What newer versions of Waldur pull from clouds, and this program does not (spec newer, family openstack)."""

from __future__ import annotations

from collections.abc import Iterable

KINDS = ("loadbalancer", "pool", "poolmember", "healthmonitor", "listener", "rbacpolicy", "networkrbacpolicy")


def left_alone(tables: Iterable[str]) -> list[str]:
    """Those of a site's tables that nothing pulls: load balancers with their parts, and RBAC policies."""
    names = {f"openstack_{kind}" for kind in KINDS}
    return sorted(table for table in tables if table in names)
