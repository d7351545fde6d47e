"""What the entries of the quotas family need of a site; plugins that are not installed are left out of the recount."""

from waldur_dagster.availability.invoices import INVOICES
from waldur_dagster.availability.needs import EVENTS, MAILS, POLICIES, Needs
from waldur_dagster.schema import analytics, django, marketplace, permissions, quotas, structure

SCOPES = (django.content_type, structure.customer, structure.project, quotas.quotausage)

NEEDS = {
    "waldur-marketplace-calculate-usage": Needs(
        (
            django.content_type,
            structure.project,
            marketplace.resource,
            marketplace.resourceplanperiod,
            marketplace.plancomponent,
            marketplace.offeringcomponent,
            marketplace.componentusage,
            marketplace.categorycomponentusage,
        )
    ),
    "update-custom-quotas": Needs(
        (*SCOPES, permissions.userrole, marketplace.category, marketplace.offering, analytics.dailyquotahistory)
    ),
    "update-standard-quotas": Needs(SCOPES),
    "waldur-sync-daily-quotas": Needs((*SCOPES, analytics.dailyquotahistory)),
    "check-polices": Needs((*INVOICES, *EVENTS, *MAILS, *POLICIES)),
}
