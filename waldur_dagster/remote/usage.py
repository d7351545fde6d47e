"""Usage that remotes report (spec remote 7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from waldur_dagster.clients.failures import VisitFailed
from waldur_dagster.clients.waldur import Waldur
from waldur_dagster.invoices import rules
from waldur_dagster.platform.month import Month
from waldur_dagster.remote.pulls import NO_SUCH_LIST, Kind, Listing, by_resource, pull_resources
from waldur_dagster.remote.remotes import Offering, Resource, read_resources
from waldur_dagster.remote.usage_documents import Reports, Usage, UserUsage
from waldur_dagster.remote.usage_rows import keep_reports
from waldur_dagster.site import Transactions

MONTHS_BACK = 4
USAGES, USER_USAGES = "marketplace-component-usages/", "marketplace-component-user-usages/"


def pull_usage(transaction: Transactions, month: Month) -> None:
    """Take the usage of all resources at remotes, terminated ones too: of the last months when ``month`` is running.

    Any other month is pulled by itself, to have it again. Rows are added and changed, never deleted: usage that has
    vanished at the remote stays. Sites of newer versions get usage by account too, and are billed by it.
    """
    with transaction() as work:
        resources = read_resources(work)
        is_running = month.number >= Month.of(work.as_of, work.zone).number
        by_user = rules.has_usage_policies(work.schema)
    first = month
    for _ in range(MONTHS_BACK if is_running else 0):
        first = first.previous
    asked = _Asked(first.first, None if is_running else month.first, by_user)
    pull_resources(transaction, resources, Kind(asked.one, asked.of_offering, keep_reports))


@dataclass(frozen=True)
class _Asked:
    """What is asked for: usage since a day, of one billing period only when ``period`` is given."""

    since: date
    period: date | None
    by_user: bool

    def one(self, api: Waldur, resource: Resource) -> Reports:
        filters = {"resource_uuid": resource.backend_id, "date_after": self.since.isoformat()}
        usages = [Usage.read(found) for found in api.listed(USAGES, **filters)]
        users = [UserUsage.read(found) for found in self._users(api, filters)]
        return self._chosen(usages, users)

    def of_offering(self, api: Waldur, offering: Offering) -> Listing[Reports]:
        filters = {"offering_uuid": offering.backend_id, "date_after": self.since.isoformat()}
        usages = by_resource(api.listed(USAGES, ["resource_uuid", *Usage.model_fields], **filters), Usage.read)
        users = by_resource(self._users(api, filters), UserUsage.read)
        found: dict[str, Reports | VisitFailed] = {}
        for name, own in usages.items():
            accounts = users.get(name, [])
            problem = next((part for part in (own, accounts) if isinstance(part, VisitFailed)), None)
            if problem is None:
                assert isinstance(own, list)
                assert isinstance(accounts, list)
                found[name] = self._chosen(own, accounts)
            else:
                found[name] = problem
        return Listing(found, absent=Reports())

    def _users(self, api: Waldur, filters: Mapping[str, str]) -> list[dict[str, Any]]:
        """Nothing where the remote is too old to tell it."""
        if not self.by_user:
            return []
        try:
            return api.listed(USER_USAGES, ["resource_uuid", *UserUsage.model_fields], **filters)
        except VisitFailed as problem:
            if problem.status in NO_SUCH_LIST:
                return []
            raise

    def _chosen(self, usages: list[Usage], users: list[UserUsage]) -> Reports:
        if self.period is not None:
            usages = [usage for usage in usages if usage.billing_period == self.period]
        return Reports(tuple(usages), tuple(users))
