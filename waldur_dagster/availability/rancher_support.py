"""What the entries of help desks, Rancher and Keycloak need of a site."""

from waldur_dagster.availability.marketplace import USAGE_REPORTS
from waldur_dagster.availability.needs import EVENTS, Needs
from waldur_dagster.availability.openstack import COUPLED
from waldur_dagster.schema import core, rancher, structure, support

# Roles, groups and memberships are in newer versions only.
ROLES = (rancher.roletemplate, rancher.keycloakgroup, rancher.membership)
GROUPS = Needs((structure.servicesettings, rancher.cluster, rancher.project, *ROLES), since=ROLES)

NEEDS = {
    "pull-priorities": Needs((support.priority,)),
    "pull-support-users": Needs((support.supportuser, core.user)),
    "sync_request_types": Needs((support.requesttype,)),
    "waldur-rancher-delete-leftover-keycloak-groups": GROUPS,
    "waldur-rancher-delete-leftover-keycloak-memberships": GROUPS,
    "waldur-rancher-sync-keycloak-users": GROUPS,
    "waldur-rancher-sync-rancher-group-bindings": GROUPS,
    "waldur-rancher-sync-rancher-roles": GROUPS,
    "waldur-rancher-update-clusters-nodes": Needs(
        (*EVENTS, *COUPLED, *USAGE_REPORTS, structure.project, rancher.cluster, rancher.node)
    ),
}
