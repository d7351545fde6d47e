"""Operational jobs of the OpenStack family."""

from jobs.entry_job import entry_job, item_by_item_job
from waldur_dagster.functions import Function

WORK = {
    "marketplace-openstack.create-resources-for-lost-instances-and-volumes": Function(
        "waldur_dagster.openstack.lost_resources:create_lost_resources"
    ),
    "marketplace-openstack.refresh-instance-backend-metadata": Function(
        "waldur_dagster.openstack.instance_metadata:refresh_instance_metadata"
    ),
    "openstack_mark_as_erred_old_tenants_in_deleting_state": Function(
        "waldur_dagster.openstack.deleting_tenants:give_up_deleting_tenants"
    ),
}
ITEM_BY_ITEM = {
    "openstack-delete-expired-backups": Function("waldur_dagster.openstack.expired_backups:delete_expired_backups"),
    "openstack-delete-expired-snapshots": Function(
        "waldur_dagster.openstack.expired_snapshots:delete_expired_snapshots"
    ),
    "openstack-tenant-properties-list-pull-task": Function(
        "waldur_dagster.openstack.pull_properties:pull_tenant_properties"
    ),
    "openstack-tenant-resources-list-pull-task": Function(
        "waldur_dagster.openstack.pull_resources:pull_tenant_resources"
    ),
    "openstack-tenant-subresources-list-pull-task": Function(
        "waldur_dagster.openstack.pull_subresources:pull_tenant_subresources"
    ),
    "pull-service-properties": Function("waldur_dagster.services.pull:pull_service_properties"),
    "pull-service-resources": Function("waldur_dagster.services.pull:pull_service_resources"),
}

JOBS = {name: entry_job(name, do) for name, do in WORK.items()} | {
    name: item_by_item_job(name, do) for name, do in ITEM_BY_ITEM.items()
}
