"""What each entry needs of a site, and what a site lacks of it."""

from __future__ import annotations

from sqlalchemy import Table

from waldur_dagster.outbox.migrate import is_current
from waldur_dagster.schema import (
    billing,
    core,
    django,
    invoices,
    logging,
    marketplace,
    permissions,
    promotions,
    structure,
)
from waldur_dagster.site import Site

EVENTS = (
    django.content_type,
    logging.event,
    logging.feed,
    logging.webhook,
    logging.emailhook,
    logging.systemnotification,
)
MAILS = (core.notification, core.user, permissions.role, permissions.userrole)
INVOICES = (invoices.invoice, invoices.invoiceitem, structure.customer)

TABLES: dict[str, tuple[Table, ...]] = {
    "waldur-create-invoices": (
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
    ),
    "update-invoices-total-cost": INVOICES,
    "send-monthly-invoicing-reports-about-customers": (*INVOICES, invoices.paymentprofile, invoices.payment),
    "send-notifications-about-upcoming-ends": (
        *MAILS,
        django.content_type,
        invoices.paymentprofile,
        structure.customer,
    ),
}


def missing_parts(site: Site, entry: str) -> list[str]:
    """What keeps an entry from running on this site: tables, columns, our own schema. Empty when nothing does.

    Raises SiteUnreachable when the database does not answer.
    """
    site.check()
    missing = [part for table in TABLES.get(entry, ()) for part in site.schema.missing(table)]
    if not is_current(site.engine):
        missing.append("schema waldur_dagster (run `waldur-dagster migrate`)")
    return missing
