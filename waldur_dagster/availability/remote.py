"""What the entries of the remote family need of a site."""

from waldur_dagster.availability.invoices import INVOICES
from waldur_dagster.availability.needs import EVENTS, Needs
from waldur_dagster.schema import billing, invoices, marketplace, promotions, structure

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

NEEDS: dict[str, Needs] = {
    "waldur-remote-pull-usage": Needs(
        (
            *REMOTES,
            *BILLED,
            marketplace.offeringcomponent,
            marketplace.plan,
            marketplace.plancomponent,
            marketplace.resourceplanperiod,
            marketplace.componentusage,
            marketplace.componentuserusage,
            marketplace.offeringuser,
        )
    ),
}
