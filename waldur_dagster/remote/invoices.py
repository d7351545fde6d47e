"""Invoice items of remotes (spec remote 8). Newer sites bill remote resources by the usage that is pulled instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from waldur_dagster.clients.failures import VisitFailed
from waldur_dagster.clients.waldur import Waldur
from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.platform.month import Month
from waldur_dagster.remote.invoice_rows import Bills, RemoteItem, keep_bills
from waldur_dagster.remote.pulls import Kind, Listing, by_resource, pull_resources
from waldur_dagster.remote.remotes import Offering, Resource, read_resources
from waldur_dagster.schema import marketplace
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Partly

ITEMS = "invoice-items/"
Found = TypeVar("Found")


def pull_invoices(transaction: Transactions, month: Month) -> None:
    """Mirror the items of all resources at remotes that have not ended: of the running month and the one before.

    Any other month is pulled by itself, to have it again. A month that cannot be read changes nothing; the others of
    the same resource are done.
    """
    with transaction() as work:
        resources = read_resources(work, marketplace.resource.c.state != ResourceState.TERMINATED)
        is_running = month.number >= Month.of(work.as_of, work.zone).number
    asked = _Asked((month.previous, month) if is_running else (month,))
    pull_resources(transaction, resources, Kind(asked.one, asked.of_offering, keep_bills))


@dataclass(frozen=True)
class _Asked:
    months: Sequence[Month]

    def one(self, api: Waldur, place: Resource) -> Bills:
        def items(filters: Mapping[str, Any]) -> tuple[RemoteItem, ...]:
            return tuple(map(RemoteItem.read, api.listed(ITEMS, resource_uuid=place.backend_id, **filters)))

        bills, problem = self._by_month(items)
        if problem is not None:
            raise Partly(bills, problem)
        return bills

    def of_offering(self, api: Waldur, place: Offering) -> Listing[Bills]:
        def items(filters: Mapping[str, Any]) -> Mapping[str, list[RemoteItem] | VisitFailed]:
            wanted = ["resource_uuid", *RemoteItem.model_fields]
            return by_resource(api.listed(ITEMS, wanted, offering_uuid=place.backend_id, **filters), RemoteItem.read)

        by_month, problem = self._by_month(items)
        if problem is not None and not by_month:
            raise problem
        found: dict[str, Bills | Partly] = {}
        for name in {name for listed in by_month.values() for name in listed}:
            of_months = {month: listed.get(name, []) for month, listed in by_month.items()}
            malformed = next((own for own in of_months.values() if isinstance(own, VisitFailed)), None)
            read = {month: tuple(own) for month, own in of_months.items() if not isinstance(own, VisitFailed)}
            found[name] = read if malformed is None else Partly(read, malformed)
        listing: Listing[Bills] = Listing(found, absent=dict.fromkeys(by_month, ()))
        if problem is not None:
            raise Partly(listing, problem)
        return listing

    def _by_month(self, ask: Callable[[Mapping[str, Any]], Found]) -> tuple[dict[Month, Found], VisitFailed | None]:
        """What each month has, and the first problem of those that could not be read."""
        found, problem = dict[Month, Found](), None
        for month in self.months:
            try:
                found[month] = ask({"year": month.year, "month": month.month})
            except VisitFailed as failure:
                problem = problem or failure
        return found, problem
