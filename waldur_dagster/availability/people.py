"""What the entries of the people family need of a site."""

from waldur_dagster.availability.needs import EVENTS, MAILS, Check, Needs
from waldur_dagster.schema import (
    core,
    django,
    firecrest,
    freeipa,
    logging,
    marketplace,
    permissions,
    pid,
    proposal,
    quotas,
    social,
    structure,
)
from waldur_dagster.settings import BadSetting
from waldur_dagster.site import Site

CALLS = (proposal.call, proposal.callmanagingorganisation, proposal.round, proposal.proposal)
REVIEWERS = (
    django.content_type,
    permissions.role,
    permissions.userrole,
    core.user,
    proposal.call,
    proposal.round,
    proposal.proposal,
    proposal.review,
)
SUBSCRIBED = (logging.eventsubscription,)
AGENTS = (django.content_type, core.user, permissions.userrole, marketplace.offering, *SUBSCRIBED)


def _synchronized(site: Site) -> str | None:
    """Older sites with subscriptions do not keep when a resource was last brought up to date."""
    column = marketplace.resource.c.last_sync
    return None if site.schema.has_column(column) else f"{column.table.name}.{column.name}"


def _usable(switch: str, wanted: str) -> Check:
    """Whether a setting, or a section, can be used on a site where the switch is on: secrets may be locked."""

    def check(site: Site) -> str | None:
        try:
            _ = site.settings[switch] and site.settings[wanted]
        except BadSetting as problem:
            return str(problem)
        return None

    return check


FREEIPA = _usable("WALDUR_FREEIPA.ENABLED", "WALDUR_FREEIPA")
EDUTEAMS = _usable("WALDUR_AUTH_SOCIAL.REMOTE_EDUTEAMS_ENABLED", "WALDUR_AUTH_SOCIAL.REMOTE_EDUTEAMS_REFRESH_TOKEN")

NEEDS = {
    "create-reviews-if-strategy-is-after-proposal": Needs(REVIEWERS),
    "create-reviews-if-strategy-is-after-round": Needs(REVIEWERS),
    "expired-reviews-should-be-cancelled": Needs((*EVENTS, *CALLS, proposal.review)),
    "proposals-for-ended-rounds-should-be-cancelled": Needs((*EVENTS, *CALLS, core.notification, core.user)),
    "mark-offering-backend-as-disconnected-after-timeout": Needs((marketplace.integrationstatus, marketplace.offering)),
    "waldur-create-offering-users-for-site-agent-offerings": Needs(
        (
            *EVENTS,
            core.user,
            permissions.userrole,
            marketplace.offering,
            marketplace.offeringuser,
            marketplace.resource,
        )
    ),
    "send-messages-about-pending-orders": Needs((*AGENTS, marketplace.order), since=SUBSCRIBED),
    "sync-resources": Needs((*AGENTS, marketplace.resource), checks=(_synchronized,), since=SUBSCRIBED),
    "waldur-pid-update-all-referrables": Needs(
        (django.content_type, marketplace.offering, structure.customer, pid.datacitereferral)
    ),
    "waldur-update-all-pid": Needs((marketplace.offering, structure.customer)),
    "waldur-firecrest-pull-jobs": Needs(
        (
            django.content_type,
            firecrest.job,
            marketplace.offering,
            marketplace.offeringuser,
            permissions.userrole,
            quotas.quotausage,
            social.oauthtoken,
            structure.project,
            structure.servicesettings,
        )
    ),
    "waldur-freeipa-sync-groups": Needs(
        (
            django.content_type,
            freeipa.profile,
            permissions.userrole,
            quotas.quotalimit,
            structure.customer,
            structure.project,
        ),
        checks=(FREEIPA,),
    ),
    "waldur-freeipa-sync-names": Needs((core.user, freeipa.profile), checks=(FREEIPA,)),
    "waldur-pull-remote-eduteams-ssh-keys": Needs((*EVENTS, core.sshpublickey, core.user)),
    "waldur-pull-remote-eduteams-users": Needs(
        (*EVENTS, *MAILS, core.sshpublickey, structure.customer), checks=(EDUTEAMS,)
    ),
}
