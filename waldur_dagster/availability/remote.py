"""What the entries of the remote family need of a site."""

from waldur_dagster.availability.needs import EVENTS, MAILS, Needs
from waldur_dagster.schema import core, django, marketplace, marketplace_remote, structure

NEEDS: dict[str, Needs] = {
    "waldur-remote-notify-about-pending-project-update-requests": Needs(
        (*MAILS, django.content_type, structure.project, marketplace_remote.projectupdaterequest)
    ),
    "waldur-remote-pull-offering-users": Needs((*EVENTS, core.user, marketplace.offering, marketplace.offeringuser)),
    "waldur-remote-pull-robot-accounts": Needs(
        (
            *EVENTS,
            marketplace.offering,
            marketplace.resource,
            marketplace.robotaccount,
            marketplace.robotaccount_users,
        )
    ),
}
