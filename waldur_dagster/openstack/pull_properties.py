"""openstack-tenant-properties-list-pull-task: volume types, zones, flavors and images of tenants."""

from __future__ import annotations

from waldur_dagster.openstack import properties, zones
from waldur_dagster.openstack.tenant_pulls import Kind, pull_tenants
from waldur_dagster.site import Transactions


def pull_tenant_properties(transaction: Transactions) -> None:
    """Bring what tenants can choose from in line with the clouds; zones last, when all tenants have told of theirs."""
    of_volumes, of_instances = zones.volume_zones(), zones.instance_zones()
    pull_tenants(
        transaction,
        [
            Kind("volume types", properties.fetch_volume_types, properties.merge_volume_types),
            Kind(
                "volume zones",
                zones.fetch_volume_zones,
                lambda _, place, fetched: of_volumes.note(place, fetched["volume zones"]),
            ),
            Kind(
                "instance zones",
                zones.fetch_instance_zones,
                lambda _, place, fetched: of_instances.note(place, fetched["instance zones"]),
            ),
            Kind("flavors", properties.fetch_flavors, properties.merge_flavors),
            Kind("images", properties.fetch_images, properties.merge_images),
        ],
    )
    with transaction() as work:
        of_volumes.merge(work)
        of_instances.merge(work)
