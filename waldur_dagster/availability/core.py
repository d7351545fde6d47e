"""What the entries of the core family need of a site."""

from waldur_dagster.availability.needs import EVENTS, MAILS, Needs
from waldur_dagster.clients.task_results import unusable
from waldur_dagster.plugin_operations.finished_updates import NO_STORE
from waldur_dagster.schema import (
    analytics,
    authtoken,
    core,
    django,
    freeipa,
    marketplace,
    notifications,
    openstack,
    permissions,
    quotas,
    structure,
    users,
    valimo,
)
from waldur_dagster.settings import BadSetting
from waldur_dagster.site import Site

INVITATIONS = (*MAILS, django.content_type, users.invitation, structure.customer, structure.project)
ROLES = (
    permissions.role,
    permissions.userrole,
    core.user,
    core.sshpublickey,
    structure.customer,
    structure.project,
    marketplace.offering,
    marketplace.plan,
    marketplace.resource,
    quotas.quotausage,
    analytics.dailyquotahistory,
)

# What follows when a resource of a plugin changes its state, in the marketplace too.
COUPLING = (
    *EVENTS,
    *MAILS,
    structure.customer,
    structure.project,
    structure.servicesettings,
    marketplace.offering,
    marketplace.offeringcomponent,
    marketplace.plan,
    marketplace.plancomponent,
    marketplace.resource,
    marketplace.resourceplanperiod,
    marketplace.componentquota,
    marketplace.order,
)


def _result_store(site: Site) -> str | None:
    """What keeps the site from telling which Celery tasks have ended."""
    celery = site.deployment.celery
    if celery is None or celery.result_store_url is None:
        return NO_STORE
    problem = unusable(celery.result_store_url)
    return problem and f"[celery] result_store_url {problem}"


def _accounts_for_guests(site: Site) -> str | None:
    """What making accounts for guests needs, on sites that do."""
    if not site.settings["WALDUR_CORE.INVITATION_CREATE_MISSING_USER"]:
        return None
    lacking = Needs((freeipa.profile, core.sshpublickey, authtoken.token, *EVENTS)).missing(site)
    try:
        _ = site.settings["WALDUR_FREEIPA"]
    except BadSetting as problem:
        lacking.append(str(problem))
    return ", ".join(lacking) or None


NEEDS = {
    "cancel-expired-invitations": Needs(INVITATIONS),
    "cancel_expired_group_invitations": Needs((users.groupinvitation,)),
    "send-reminder-for-pending-invitations": Needs(INVITATIONS),
    "core-reset-updating-resources": Needs((*COUPLING, openstack.tenant), checks=(_result_store,)),
    "create_customer_permission_reviews": Needs(
        (
            *EVENTS,
            permissions.userrole,
            structure.customer,
            structure.customerpermissionreview,
            structure.project,
        )
    ),
    "process-pending-project-invitations": Needs(INVITATIONS, checks=(_accounts_for_guests,)),
    "send-scheduled-broadcast-notifications": Needs((notifications.broadcastmessage,)),
    "valimo-auth-cleanup-auth-results": Needs((valimo.authresult,)),
    "check-expired-permissions": Needs((*EVENTS, *ROLES)),
    "structure-set-erred-stuck-resources": Needs(COUPLING),
}
