"""What the entries of the invoices family need of a site."""

from waldur_dagster.availability.needs import EVENTS, MAILS, Needs
from waldur_dagster.schema import billing, django, invoices, marketplace, promotions, structure

INVOICES = (invoices.invoice, invoices.invoiceitem, structure.customer)

NEEDS = {
    "waldur-create-invoices": Needs(
        (
            *INVOICES,
            *EVENTS,
            *MAILS,
            structure.project,
            marketplace.offering,
            marketplace.offeringcomponent,
            marketplace.plan,
            marketplace.plancomponent,
            marketplace.resource,
            marketplace.resourceplanperiod,
            marketplace.componentusage,
            marketplace.serviceprovider,
            invoices.customercredit,
            invoices.customercredit_offerings,
            invoices.projectcredit,
            invoices.paymentprofile,
            promotions.campaign,
            promotions.discountedresource,
            billing.priceestimate,
        )
    ),
    "update-invoices-total-cost": Needs(INVOICES),
    "send-monthly-invoicing-reports-about-customers": Needs((*INVOICES, invoices.paymentprofile, invoices.payment)),
    "send-notifications-about-upcoming-ends": Needs(
        (
            *MAILS,
            django.content_type,
            invoices.paymentprofile,
            structure.customer,
        )
    ),
}
