"""What the entries of the marketplace family need of a site."""

from waldur_dagster.availability.needs import EVENTS, MAILS, Needs
from waldur_dagster.schema import core, django, invoices, logging, marketplace, marketplace_script, structure

ENDINGS = (*MAILS, django.content_type, structure.project, structure.customer)

NEEDS = {
    "notification_about_project_ending": Needs(ENDINGS),
    "notification_about_resource_ending": Needs((*ENDINGS, marketplace.resource)),
    "notify_about_stale_resource": Needs(
        (*ENDINGS, marketplace.resource, marketplace.offering, invoices.invoice, invoices.invoiceitem)
    ),
    "remove_deleted_robot_accounts": Needs((*EVENTS, marketplace.robotaccount, marketplace.robotaccount_users)),
    "send_telemetry": Needs((core.feature, core.user, logging.event, marketplace.offering)),
    "waldur-marketplace-script-remove-old-dry-runs": Needs((marketplace_script.dryrun,)),
}
