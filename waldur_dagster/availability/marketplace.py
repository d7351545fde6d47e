"""What the entries of the marketplace family need of a site."""

from waldur_dagster.availability.invoices import INVOICES
from waldur_dagster.availability.needs import EVENTS, MAILS, Needs
from waldur_dagster.schema import (
    analytics,
    authtoken,
    billing,
    core,
    django,
    invoices,
    logging,
    marketplace,
    marketplace_script,
    permissions,
    policy,
    promotions,
    quotas,
    structure,
)

ENDINGS = (*MAILS, django.content_type, structure.project, structure.customer)
ORDERS = (
    *EVENTS,
    *MAILS,
    permissions.rolepermission,
    quotas.quotausage,
    structure.customer,
    structure.project,
    marketplace.offering,
    marketplace.plan,
    marketplace.resource,
    marketplace.order,
)
TERMINATIONS = (*ORDERS, marketplace.offering_organization_groups, authtoken.token)
# Usage of the month, and the invoice that it is billed with.
USAGE_REPORTS = (
    *INVOICES,
    invoices.customercredit,
    invoices.customercredit_offerings,
    invoices.projectcredit,
    promotions.campaign,
    promotions.discountedresource,
    billing.priceestimate,
    marketplace.componentusage,
    marketplace.offeringcomponent,
    marketplace.plancomponent,
    marketplace.resourceplanperiod,
    marketplace.serviceprovider,
    structure.servicesettings,
)
PROJECT_DELETION = (billing.priceestimate, analytics.dailyquotahistory)
# What may want a resource paused when its project's days of grace are no reason any more.
PAUSING_POLICIES = (policy.projectestimatedcostpolicy, policy.customerestimatedcostpolicy)

NEEDS = {
    "mark_resources_as_erred_after_timeout": Needs(
        (*ORDERS, marketplace.resourceplanperiod, structure.servicesettings)
    ),
    "terminate_resources_in_state_erred_without_backend_id_and_failed_terminate_order": Needs(
        (*ORDERS, marketplace.robotaccount, marketplace.robotaccount_users)
    ),
    "notification_about_project_ending": Needs(ENDINGS),
    "notification_about_resource_ending": Needs((*ENDINGS, marketplace.resource)),
    "notify_about_stale_resource": Needs(
        (*ENDINGS, marketplace.resource, marketplace.offering, invoices.invoice, invoices.invoiceitem)
    ),
    "remove_deleted_robot_accounts": Needs((*EVENTS, marketplace.robotaccount, marketplace.robotaccount_users)),
    "send_telemetry": Needs((core.feature, core.user, logging.event, marketplace.offering)),
    "waldur-marketplace-script-pull-resources": Needs((*ORDERS, *USAGE_REPORTS, authtoken.token)),
    "waldur-marketplace-script-remove-old-dry-runs": Needs((marketplace_script.dryrun,)),
    "process_pending_project_orders": Needs(ORDERS),
    "terminate_expired_resources": Needs(TERMINATIONS),
    "terminate_resources_if_project_end_date_has_been_reached": Needs(
        (*TERMINATIONS, *PROJECT_DELETION, *PAUSING_POLICIES)
    ),
    "waldur-mastermind-reject-past-bookings": Needs(
        (*ORDERS, *PROJECT_DELETION, marketplace.resourceplanperiod, structure.servicesettings)
    ),
    "waldur-mastermind-send-notifications-about-upcoming-bookings": Needs(
        (*MAILS, marketplace.offering, marketplace.resource, marketplace.order)
    ),
}
