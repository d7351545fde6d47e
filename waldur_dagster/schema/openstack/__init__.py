"""OpenStack tenants and what they hold."""

from waldur_dagster.schema.openstack.networks import floatingip, network, port, router, securitygroup, subnet
from waldur_dagster.schema.openstack.properties import (
    backup_snapshots,
    flavor,
    flavor_tenants,
    image,
    image_tenants,
    instance_security_groups,
    instanceavailabilityzone,
    port_security_groups,
    securitygrouprule,
    volumeavailabilityzone,
    volumetype_tenants,
)
from waldur_dagster.schema.openstack.servers import instance, servergroup, snapshot, volume, volumetype
from waldur_dagster.schema.openstack.tenants import backup, backupschedule, snapshotschedule, tenant

__all__ = [
    "backup",
    "backup_snapshots",
    "backupschedule",
    "flavor",
    "flavor_tenants",
    "floatingip",
    "image",
    "image_tenants",
    "instance",
    "instance_security_groups",
    "instanceavailabilityzone",
    "network",
    "port",
    "port_security_groups",
    "router",
    "securitygroup",
    "securitygrouprule",
    "servergroup",
    "snapshot",
    "snapshotschedule",
    "subnet",
    "tenant",
    "volume",
    "volumeavailabilityzone",
    "volumetype",
    "volumetype_tenants",
]
