"""openstack-tenant-resources-list-pull-task: servers, volumes and snapshots that the site knows."""

from __future__ import annotations

from functools import partial

from waldur_dagster.openstack import instances, volumes
from waldur_dagster.openstack.tenant_pulls import Kind, pull_tenants
from waldur_dagster.site import Transactions


def pull_tenant_resources(transaction: Transactions) -> None:
    """Bring servers, volumes and snapshots in line with the clouds. Nothing is imported, nothing deleted."""
    with transaction() as work:
        flavors = instances.known_flavors(work)
    pull_tenants(
        transaction,
        [
            Kind(
                "servers",
                partial(instances.fetch_instances, known=flavors),
                instances.merge_instances,
                is_followed=True,
            ),
            Kind("volumes", volumes.fetch_volumes, volumes.merge_volumes, is_followed=True),
            Kind("snapshots", volumes.fetch_snapshots, volumes.merge_snapshots),
        ],
    )
