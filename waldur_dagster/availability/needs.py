"""The form in which a family says what its entries need, and groups of tables that many entries share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Table

from waldur_dagster.schema import (
    authtoken,
    core,
    django,
    invoices,
    logging,
    marketplace,
    permissions,
    policy,
    quotas,
    structure,
)
from waldur_dagster.site import Site

Check = Callable[[Site], str | None]


@dataclass(frozen=True)
class Needs:
    """What one entry cannot run without.

    ``since`` are the tables with which Waldur got the entry: a site without them is an older one, and lacks nothing.
    ``settings`` are dotted names of Waldur's settings that must not be empty. Each of ``checks`` says what the site
    lacks, or None; it may query the tables, since it is only called when they are all there. What an entry can do
    without is not listed.
    """

    tables: tuple[Table, ...] = ()
    settings: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    since: tuple[Table, ...] = ()

    def too_new(self, site: Site) -> str | None:
        """Why the site's Waldur does not have the entry; None when it has."""
        lacking = [table.name for table in self.since if not site.schema.has(table.name)]
        return f"this site's Waldur does not have it, nor {', '.join(lacking)}" if lacking else None

    def missing(self, site: Site) -> list[str]:
        """What the site lacks: ``table``, ``table.column``, ``setting NAME``, then the words of the checks."""
        lacking = [part for table in self.tables for part in site.schema.missing(table)]
        complete = not lacking
        lacking += [f"setting {name}" for name in self.settings if not site.deployment.settings[name]]
        if complete:
            lacking += [reason for check in self.checks if (reason := check(site))]
        return lacking


EVENTS = (
    django.content_type,
    logging.event,
    logging.feed,
    logging.webhook,
    logging.emailhook,
    logging.systemnotification,
)
MAILS = (core.notification, core.user, permissions.role, permissions.userrole)
# What policies look at, and what they do, besides their events and mails.
POLICIES = (
    policy.projectestimatedcostpolicy,
    policy.customerestimatedcostpolicy,
    policy.offeringestimatedcostpolicy,
    policy.offeringestimatedcostpolicy_organization_groups,
    policy.offeringusagepolicy,
    policy.offeringusagepolicy_organization_groups,
    policy.offeringcomponentlimit,
    policy.customercomponentusagepolicy,
    policy.customerusagepolicycomponent,
    authtoken.token,
    invoices.customercredit,
    invoices.customercredit_offerings,
    invoices.projectcredit,
    invoices.credittransaction,
    marketplace.componentusage,
    marketplace.offering,
    marketplace.offeringcomponent,
    marketplace.order,
    marketplace.resource,
    quotas.quotausage,
    structure.project,
)
