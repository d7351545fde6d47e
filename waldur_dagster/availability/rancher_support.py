"""What the entries of help desks, Rancher and Keycloak need of a site."""

from waldur_dagster.availability.marketplace import USAGE_REPORTS
from waldur_dagster.availability.needs import EVENTS, Needs
from waldur_dagster.availability.openstack import COUPLED
from waldur_dagster.schema import core, rancher, structure, support

# Roles, groups and memberships are in newer versions only; where they are not, these entries say so and end well.
GROUPS = (
    structure.servicesettings,
    rancher.cluster,
    rancher.project,
    rancher.roletemplate,
    rancher.keycloakgroup,
    rancher.membership,
)

NEEDS = {
    "pull-priorities": Needs((support.priority,)),
    "pull-support-users": Needs((support.supportuser, core.user)),
    "sync_request_types": Needs((support.requesttype,)),
    "waldur-rancher-delete-leftover-keycloak-groups": Needs(GROUPS),
    "waldur-rancher-delete-leftover-keycloak-memberships": Needs(GROUPS),
    "waldur-rancher-sync-keycloak-users": Needs(GROUPS),
    "waldur-rancher-sync-rancher-group-bindings": Needs(GROUPS),
    "waldur-rancher-sync-rancher-roles": Needs(GROUPS),
    "waldur-rancher-update-clusters-nodes": Needs(
        (*EVENTS, *COUPLED, *USAGE_REPORTS, structure.project, rancher.cluster, rancher.node)
    ),
}
