"""What the entries of the remote family need of a site."""

from waldur_dagster.availability.invoices import INVOICES
from waldur_dagster.availability.marketplace import ORDERS, PROJECT_DELETION
from waldur_dagster.availability.needs import EVENTS, Needs
from waldur_dagster.schema import authtoken, billing, invoices, marketplace, promotions, structure

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
    marketplace.resourceplanperiod,
    structure.servicesettings,
)

NEEDS: dict[str, Needs] = {
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
}
