"""Who has to approve an order before it is carried out (spec marketplace 0.7, approval routing)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from waldur_dagster.marketplace.rights import APPROVE, APPROVE_PRIVATE, MANAGER, OWNER, Person

BASIC, SITE_AGENT, REMOTE = "Marketplace.Basic", "Marketplace.Slurm", "Waldur.RemoteOffering"
SCRIPT = "Marketplace.Script"
# A provider has to say yes to every order of these types.
REVIEWED_TYPES = frozenset({BASIC, SITE_AGENT})


@dataclass(frozen=True)
class OfferingFacts:
    """What decides about approvals; ``provider`` is the customer that offers it.

    ``may_review_scripts``: newer versions of Waldur let providers ask for a say in orders of script offerings.
    """

    id: int
    type: str
    provider: int
    shared: bool
    billable: bool
    plugin_options: dict[str, Any]
    may_review_scripts: bool = False

    @property
    def private(self) -> bool:
        return not self.shared and not self.billable


def consumer_must_approve_termination(actor: Person, offering: OfferingFacts, project: int, customer: int) -> bool:
    """Whether a terminate order of ``actor`` waits for somebody on the customer's side."""
    scopes = (("project", project), ("customer", customer))
    if actor.is_staff:
        return False
    if offering.private:
        return not actor.has(APPROVE_PRIVATE, *scopes)
    own = offering.shared and offering.provider == customer
    if own and offering.plugin_options.get("auto_approve_in_service_provider_projects") is True:
        return False
    return not (OWNER in actor.roles.get(("customer", offering.provider), ()) or actor.has(APPROVE, *scopes))


def provider_must_approve(reviewer: Person | None, offering: OfferingFacts) -> bool:
    """Whether an order that ``reviewer`` has approved for the customer waits for the offering's provider."""
    if offering.type in REVIEWED_TYPES:
        return True
    if offering.type == SCRIPT and offering.may_review_scripts:
        return offering.plugin_options.get("auto_approve_marketplace_script") is False
    if offering.type != REMOTE or offering.plugin_options.get("auto_approve_remote_orders"):
        return False
    if reviewer is None:
        return True
    manages = MANAGER in reviewer.roles.get(("customer", offering.provider), ())
    return not (reviewer.is_owner(offering.provider) or (manages and reviewer.roles.get(("offering", offering.id))))
