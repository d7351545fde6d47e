"""What the entries of help desks, Rancher and Keycloak need of a site."""

from waldur_dagster.availability.marketplace import USAGE_REPORTS
from waldur_dagster.availability.needs import EVENTS, Needs
from waldur_dagster.availability.openstack import COUPLED
from waldur_dagster.schema import core, rancher, structure, support

NEEDS = {
    "pull-priorities": Needs((support.priority,)),
    "pull-support-users": Needs((support.supportuser, core.user)),
    "sync_request_types": Needs((support.requesttype,)),
    "waldur-rancher-update-clusters-nodes": Needs(
        (*EVENTS, *COUPLED, *USAGE_REPORTS, structure.project, rancher.cluster, rancher.node)
    ),
}
