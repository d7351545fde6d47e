"""Operational jobs of the OpenStack family."""

from jobs.entry_job import entry_job, item_by_item_job
from waldur_dagster.openstack.deleting_tenants import give_up_deleting_tenants
from waldur_dagster.openstack.expired_backups import delete_expired_backups
from waldur_dagster.openstack.expired_snapshots import delete_expired_snapshots
from waldur_dagster.openstack.instance_metadata import refresh_instance_metadata
from waldur_dagster.openstack.lost_resources import create_lost_resources
from waldur_dagster.openstack.pull_properties import pull_tenant_properties
from waldur_dagster.openstack.pull_resources import pull_tenant_resources
from waldur_dagster.openstack.pull_subresources import pull_tenant_subresources
from waldur_dagster.services.pull import pull_service_properties, pull_service_resources

WORK = {
    "marketplace-openstack.create-resources-for-lost-instances-and-volumes": create_lost_resources,
    "marketplace-openstack.refresh-instance-backend-metadata": refresh_instance_metadata,
    "openstack_mark_as_erred_old_tenants_in_deleting_state": give_up_deleting_tenants,
}
ITEM_BY_ITEM = {
    "openstack-delete-expired-backups": delete_expired_backups,
    "openstack-delete-expired-snapshots": delete_expired_snapshots,
    "pull-service-properties": pull_service_properties,
    "pull-service-resources": pull_service_resources,
    "openstack-tenant-properties-list-pull-task": pull_tenant_properties,
    "openstack-tenant-resources-list-pull-task": pull_tenant_resources,
    "openstack-tenant-subresources-list-pull-task": pull_tenant_subresources,
}

JOBS = {name: entry_job(name, do) for name, do in WORK.items()} | {
    name: item_by_item_job(name, do) for name, do in ITEM_BY_ITEM.items()
}
