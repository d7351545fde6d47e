"""What the entries of the OpenStack family need of a site. Kinds of providers that it has no tables of are left out."""

from waldur_dagster.availability.invoices import INVOICES
from waldur_dagster.availability.marketplace import TERMINATIONS, USAGE_REPORTS
from waldur_dagster.availability.needs import EVENTS, MAILS, Needs
from waldur_dagster.schema import billing, marketplace, openstack, quotas, structure

TENANTS = (*EVENTS, structure.servicesettings, structure.project, structure.customer, openstack.tenant)
# A tenant, a machine or a disk that changes its state changes its resource, its order, what is told of both, and the
# month's invoice, which may have to be made.
COUPLED = (
    *MAILS,
    *USAGE_REPORTS,
    marketplace.resource,
    marketplace.order,
    marketplace.offering,
    marketplace.plan,
    marketplace.componentquota,
    openstack.instance,
    openstack.volume,
    openstack.volumetype,
    openstack.image,
    openstack.port,
    openstack.floatingip,
    quotas.quotausage,
)
SNAPSHOTS = (*TENANTS, openstack.snapshot, openstack.backup_snapshots, openstack.volume, quotas.quotausage)

NEEDS = {
    "marketplace-openstack.create-resources-for-lost-instances-and-volumes": Needs((*TENANTS, *COUPLED)),
    "marketplace-openstack.refresh-instance-backend-metadata": Needs((*TENANTS, *COUPLED)),
    "openstack-delete-expired-backups": Needs((*SNAPSHOTS, openstack.backup)),
    "openstack-delete-expired-snapshots": Needs(SNAPSHOTS),
    "openstack-tenant-properties-list-pull-task": Needs(
        (
            *TENANTS,
            *COUPLED,
            openstack.flavor,
            openstack.flavor_tenants,
            openstack.image_tenants,
            openstack.volumetype_tenants,
            openstack.instanceavailabilityzone,
            openstack.volumeavailabilityzone,
        )
    ),
    "openstack-tenant-pull-quotas": Needs(
        (
            *TENANTS,
            *COUPLED,
            *INVOICES,
            quotas.quotalimit,
            marketplace.componentusage,
            billing.priceestimate,
        )
    ),
    "openstack-tenant-resources-list-pull-task": Needs(
        (
            *TENANTS,
            *COUPLED,
            openstack.flavor,
            openstack.instanceavailabilityzone,
            openstack.volumeavailabilityzone,
            openstack.network,
            openstack.subnet,
            openstack.snapshot,
            openstack.securitygroup,
            openstack.instance_security_groups,
        )
    ),
    "openstack-tenant-subresources-list-pull-task": Needs(
        (
            *TENANTS,
            *COUPLED,
            openstack.network,
            openstack.subnet,
            openstack.router,
            openstack.securitygroup,
            openstack.securitygrouprule,
            openstack.servergroup,
            openstack.port_security_groups,
        )
    ),
    "openstack_mark_as_erred_old_tenants_in_deleting_state": Needs((openstack.tenant,)),
    "pull-service-properties": Needs((structure.servicesettings, marketplace.offering, quotas.quotalimit)),
    "pull-service-resources": Needs((*TENANTS, *COUPLED, *TERMINATIONS)),
}
