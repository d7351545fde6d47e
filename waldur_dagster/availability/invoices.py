"""What the entries of the invoices family need of a site."""

from dataclasses import replace

from waldur_dagster.availability.needs import EVENTS, MAILS, POLICIES, Needs
from waldur_dagster.schema import billing, django, invoices, marketplace, paypal, promotions, structure
from waldur_dagster.site import Site

INVOICES = (invoices.invoice, invoices.invoiceitem, structure.customer)


def _paypal_tables(site: Site) -> str | None:
    """Where payments go through PayPal, closed invoices are copied for it."""
    if not site.deployment.settings["WALDUR_PAYPAL.ENABLED"]:
        return None
    lacking = [table.name for table in (paypal.invoice, paypal.invoiceitem) if not site.schema.has(table.name)]
    return f"{', '.join(lacking)} (WALDUR_PAYPAL.ENABLED is set)" if lacking else None


def _time_of_grace(site: Site) -> str | None:
    """Older versions close invoices in the monthly billing, always."""
    column = invoices.invoiceitem.c.plan_component_id
    return None if site.schema.has_column(column) else f"{column} (the monthly billing closes invoices itself)"


BILLING = Needs(
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
        invoices.credittransaction,
        invoices.paymentprofile,
        promotions.campaign,
        promotions.discountedresource,
        billing.priceestimate,
    ),
    checks=(_paypal_tables,),
)

NEEDS = {
    "waldur-create-invoices": BILLING,
    "finalize-previous-invoices": replace(
        BILLING,
        tables=tuple(dict.fromkeys((*BILLING.tables, *POLICIES))),
        checks=(*BILLING.checks, _time_of_grace),
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
