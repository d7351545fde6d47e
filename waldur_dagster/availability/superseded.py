"""Entries that newer versions of Waldur do in another way, or no longer have (spec newer 5 and family by family).

Beside such a Waldur the entry of 2024 would do harm: send a report twice, switch off what is meant to stay. So it does
not run there, unless the deployment file says ``superseded = "run"`` for the entry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.site import Site


@dataclass(frozen=True)
class Superseded:
    """How a site shows that its Waldur does without an entry, and what took the entry's place."""

    on: Callable[[SiteSchema], bool]
    by: str


def _group_invitations_stay_open(schema: SiteSchema) -> bool:
    return schema.has("users_groupinvitation", "is_public") or schema.has("users_groupinvitation", "auto_approve")


def _calls_have_workflows(schema: SiteSchema) -> bool:
    return schema.has("proposal_round") and not schema.has("proposal_round", "review_strategy")


def _bills_itself(schema: SiteSchema) -> bool:
    return schema.has("invoices_invoiceitem", "plan_component_id")


SUPERSEDED = {
    "cancel_expired_group_invitations": Superseded(
        _group_invitations_stay_open,
        "group invitations have no lifetime there: they stay open until somebody ends them",
    ),
    "send-monthly-invoicing-reports-about-customers": Superseded(
        _bills_itself, "waldur-create-invoices writes this report itself, once the month's invoices are closed"
    ),
    "create-reviews-if-strategy-is-after-proposal": Superseded(
        _calls_have_workflows, "Waldur's workflow of calls assigns reviewers"
    ),
    "create-reviews-if-strategy-is-after-round": Superseded(
        _calls_have_workflows, "Waldur's workflow of calls assigns reviewers"
    ),
    "waldur-remote-pull-invoices": Superseded(
        _bills_itself, "usage of remote resources is billed from what waldur-remote-pull-usage brings"
    ),
}


def superseded(site: Site, entry: str) -> str | None:
    """What took the place of an entry on this site's Waldur; None where the entry is to run."""
    found = SUPERSEDED.get(entry)
    if found is None or not found.on(site.schema) or site.deployment.runs_superseded(entry):
        return None
    return found.by
