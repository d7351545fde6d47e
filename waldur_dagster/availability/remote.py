"""What the entries of the remote family need of a site."""

from waldur_dagster.availability.invoices import INVOICES
from waldur_dagster.availability.marketplace import ORDERS, PROJECT_DELETION
from waldur_dagster.availability.needs import EVENTS, MAILS, Needs
from waldur_dagster.schema import (
    authtoken,
    billing,
    core,
    django,
    invoices,
    marketplace,
    marketplace_remote,
    media,
    permissions,
    promotions,
    structure,
)

REMOTES = (marketplace.offering, marketplace.resource)
# Where usage is billed: what new invoices and their items are made of.
BILLED = (
    *EVENTS,
    *INVOICES,
    invoices.customercredit,
    invoices.projectcredit,
    promotions.campaign,
    promotions.discountedresource,
    billing.priceestimate,
    structure.customer,
    structure.project,
)
# What is sold.
CATALOGUE = (
    *EVENTS,
    *REMOTES,
    invoices.invoiceitem,
    marketplace.offeringaccessendpoint,
    marketplace.offeringcomponent,
    marketplace.plan,
    marketplace.plancomponent,
    marketplace.componentusage,
    marketplace.componentquota,
    media.file,
)

PRICED = (
    marketplace.offeringcomponent,
    marketplace.plan,
    marketplace.plancomponent,
    marketplace.resourceplanperiod,
    marketplace.componentusage,
)
# What an order comes to: its resource with plan, limits and items, its events and mails.
OUTCOMES = (
    *ORDERS,
    *PROJECT_DELETION,
    *BILLED,
    marketplace.offeringcomponent,
    marketplace.plancomponent,
    marketplace.componentquota,
    marketplace.componentusage,
    marketplace.resourceplanperiod,
    marketplace.serviceprovider,
    structure.servicesettings,
)

# What is taken over from other Waldurs as configurations say, which Waldur has from December 2024 on.
SYNCHRONISATIONS = (marketplace_remote.remotesynchronisation, marketplace_remote.remotelocalcategory)

NEEDS: dict[str, Needs] = {
    "waldur-remote-notify-about-pending-project-update-requests": Needs(
        (*MAILS, django.content_type, structure.project, marketplace_remote.projectupdaterequest)
    ),
    "waldur-remote-offerings-sync": Needs(
        (
            *CATALOGUE,
            marketplace.screenshot,
            marketplace.serviceprovider,
            *SYNCHRONISATIONS,
        ),
        since=SYNCHRONISATIONS,
    ),
    "waldur-remote-pull-offering-users": Needs((*EVENTS, core.user, marketplace.offering, marketplace.offeringuser)),
    "waldur-remote-pull-offerings": Needs(CATALOGUE),
    "waldur-remote-pull-robot-accounts": Needs(
        (*EVENTS, *REMOTES, marketplace.robotaccount, marketplace.robotaccount_users)
    ),
    "waldur-remote-pull-erred-orders": Needs(OUTCOMES),
    "waldur-remote-pull-invoices": Needs((*REMOTES, *BILLED, *PRICED)),
    "waldur-remote-pull-orders": Needs(OUTCOMES),
    "waldur-remote-pull-resources": Needs((*OUTCOMES, authtoken.token)),
    "waldur-remote-pull-usage": Needs(
        (
            *REMOTES,
            *BILLED,
            *PRICED,
            marketplace.componentuserusage,
            marketplace.offeringuser,
        )
    ),
    "waldur-remote-push-project-data": Needs((*REMOTES, structure.customer, structure.project)),
    "waldur-remote-sync-remote-project-permissions": Needs(
        (
            *REMOTES,
            core.user,
            django.content_type,
            marketplace.order,
            permissions.role,
            permissions.userrole,
            structure.customer,
            structure.project,
        )
    ),
}
