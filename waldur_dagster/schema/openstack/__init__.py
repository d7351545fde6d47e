"""OpenStack tenants and what they hold."""

from waldur_dagster.schema.openstack.networks import floatingip, network, port, router, securitygroup, subnet
from waldur_dagster.schema.openstack.servers import instance, servergroup, snapshot, volume, volumetype
from waldur_dagster.schema.openstack.tenants import backup, backupschedule, snapshotschedule, tenant

__all__ = [
    "backup",
    "backupschedule",
    "floatingip",
    "instance",
    "network",
    "port",
    "router",
    "securitygroup",
    "servergroup",
    "snapshot",
    "snapshotschedule",
    "subnet",
    "tenant",
    "volume",
    "volumetype",
]
