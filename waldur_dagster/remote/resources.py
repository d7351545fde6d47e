"""Resources as their remotes have them, and orders that were placed there (spec remote 5)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from sqlalchemy import select

from waldur_dagster.clients.failures import ItemFailed, VisitFailed
from waldur_dagster.clients.waldur import Waldur, uuid_text
from waldur_dagster.remote.orders import ENDED, ORDERS, Order
from waldur_dagster.remote.pulls import Kind, Listing, pull_resources
from waldur_dagster.remote.remotes import TYPE, Offering, Resource, read_resources
from waldur_dagster.remote.resource_documents import FIELDS, NewOrder, PulledResource, RemoteResource
from waldur_dagster.remote.resource_rows import keep_resources
from waldur_dagster.remote.states import ORDER_STATES, RESOURCE_STATES
from waldur_dagster.schema import marketplace
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Circuit
from waldur_dagster.work import Work

RESOURCES = "marketplace-resources/"
order, resource, offering = marketplace.order, marketplace.resource, marketplace.offering


def pull_remote_resources(transaction: Transactions) -> None:
    """Make report, attributes, options, effective id and state of all resources what their remotes have.

    Orders that were placed there are written down here too, and orders that have ended there are ended before the
    state of their resource follows. A resource that its remote does not have any more stays as it is, and is told.
    """
    with transaction() as work:
        resources = read_resources(work)
        known = _Known(work)
    pull_resources(transaction, resources, Kind(known.one, known.of_offering, keep_resources))


class _Known:
    """What the site knows, when the run begins, of orders and states; and asking for what it does not know."""

    def __init__(self, work: Work):
        self._orders: dict[str, set[str]] = defaultdict(set)  # by resource; both by their uuids at the remote
        self._open: dict[str, dict[int, str]] = defaultdict(dict)
        self._states: dict[str, int] = {}
        of_remotes = (offering.c.type == TYPE, resource.c.backend_id != "")
        for row in work.connection.execute(
            select(resource.c.backend_id, resource.c.state)
            .join(offering, offering.c.id == resource.c.offering_id)
            .where(*of_remotes)
        ):
            self._states[uuid_text(row.backend_id)] = row.state
        for one in work.connection.execute(
            select(resource.c.backend_id.label("resource"), order.c.id, order.c.backend_id, order.c.state)
            .join_from(order, resource, resource.c.id == order.c.resource_id)
            .join(offering, offering.c.id == resource.c.offering_id)
            .where(*of_remotes, order.c.backend_id != "")
        ):
            place, uuid = uuid_text(one.resource), uuid_text(one.backend_id)
            self._orders[place].add(uuid)
            if one.state not in ENDED:
                self._open[place][one.id] = uuid

    def one(self, api: Waldur, place: Resource) -> PulledResource:
        document = api.one(f"{RESOURCES}{place.backend_id}/")
        listed = api.listed(ORDERS, resource_uuid=place.backend_id, field="uuid")
        unknown = {uuid_text(found["uuid"]) for found in listed} - self._orders[place.backend_id]
        orders = [api.one(f"{ORDERS}{uuid}/") for uuid in sorted(unknown)]
        return self._pulled(api, place.backend_id, document, orders, Circuit())

    def of_offering(self, api: Waldur, place: Offering) -> Listing[PulledResource]:
        """The orders of the offering are listed whole, since the list shows all that is kept of those unknown here."""
        resources = api.listed(RESOURCES, FIELDS, offering_uuid=place.backend_id)
        orders: dict[str, list[dict[str, Any]]] = defaultdict(list)
        wanted = ["marketplace_resource_uuid", *NewOrder.model_fields]
        for found in api.listed(ORDERS, wanted, offering_uuid=place.backend_id):
            name = uuid_text(str(found.get("marketplace_resource_uuid") or ""))
            if uuid_text(found["uuid"]) not in self._orders.get(name, ()):
                orders[name].append(found)
        pulled: dict[str, PulledResource | VisitFailed] = {}
        circuit = Circuit()
        for document in resources:
            name = uuid_text(document["uuid"])
            if name in self._states:
                try:
                    pulled[name] = self._pulled(api, name, document, orders.get(name, ()), circuit)
                except VisitFailed as problem:
                    if circuit.note(problem):
                        raise
                    pulled[name] = problem
        return Listing(pulled)

    def _pulled(
        self,
        api: Waldur,
        uuid: str,
        document: Mapping[str, Any],
        orders: Iterable[Mapping[str, Any]],
        circuit: Circuit,
    ) -> PulledResource:
        found = RemoteResource.read(document)
        state = RESOURCE_STATES.get(found.state)
        ended = self._ended(api, uuid, circuit) if state is not None and state != self._states[uuid] else {}
        given = frozenset(name for name in FIELDS if name in document) - {
            name for name in ("attributes", "backend_id") if document.get(name) is None
        }
        return PulledResource(found, given, state, tuple(map(NewOrder.read, orders)), ended)

    def _ended(self, api: Waldur, name: str, circuit: Circuit) -> dict[int, Order]:
        """What the open orders of a resource have come to; one that cannot be read is left to the pull of orders."""
        found = {}
        for id, backend_id in self._open.get(name, {}).items():
            report = None
            with suppress(ItemFailed):
                report = Order.read(api.one(f"{ORDERS}{backend_id}/"))
            circuit.note(None)
            if report is not None and ORDER_STATES.get(report.state) in ENDED:
                found[id] = report
        return found
