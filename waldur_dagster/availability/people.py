"""What the entries of the people family need of a site."""

from waldur_dagster.availability.needs import EVENTS, Needs
from waldur_dagster.schema import core, django, marketplace, permissions, proposal

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
}
