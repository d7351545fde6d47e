"""What the entries of the remote family need of a site."""

from waldur_dagster.availability.needs import EVENTS, MAILS, Needs
from waldur_dagster.schema import core, django, invoices, marketplace, marketplace_remote, media, structure

CATALOGUE = (
    *EVENTS,
    invoices.invoiceitem,
    marketplace.offering,
    marketplace.offeringaccessendpoint,
    marketplace.offeringcomponent,
    marketplace.plan,
    marketplace.plancomponent,
    marketplace.resource,
    marketplace.componentusage,
    marketplace.componentquota,
    media.file,
)

NEEDS: dict[str, Needs] = {
    "waldur-remote-notify-about-pending-project-update-requests": Needs(
        (*MAILS, django.content_type, structure.project, marketplace_remote.projectupdaterequest)
    ),
    "waldur-remote-pull-offering-users": Needs((*EVENTS, core.user, marketplace.offering, marketplace.offeringuser)),
    "waldur-remote-pull-offerings": Needs(CATALOGUE),
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
