"""What the entries of help desks, Rancher and Keycloak need of a site."""

from waldur_dagster.availability.needs import Needs
from waldur_dagster.schema import core, support

NEEDS = {
    "pull-priorities": Needs((support.priority,)),
    "pull-support-users": Needs((support.supportuser, core.user)),
    "sync_request_types": Needs((support.requesttype,)),
}
