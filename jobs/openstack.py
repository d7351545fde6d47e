"""Operational jobs of the OpenStack family."""

from jobs.entry_job import item_by_item_job
from waldur_dagster.openstack.pull_properties import pull_tenant_properties
from waldur_dagster.openstack.pull_resources import pull_tenant_resources
from waldur_dagster.openstack.pull_subresources import pull_tenant_subresources

ITEM_BY_ITEM = {
    "openstack-tenant-properties-list-pull-task": pull_tenant_properties,
    "openstack-tenant-resources-list-pull-task": pull_tenant_resources,
    "openstack-tenant-subresources-list-pull-task": pull_tenant_subresources,
}

JOBS = {name: item_by_item_job(name, do) for name, do in ITEM_BY_ITEM.items()}
