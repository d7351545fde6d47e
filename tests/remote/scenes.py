"""Sites that resell offerings of Waldurs on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.remote.remote_waldur import RemoteWaldur, serving_remote, uuid_of
from tests.scene import Scene
from waldur_dagster.outcome import Outcome
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import marketplace
from waldur_dagster.site import Transactions

NOW = datetime(2025, 3, 10, 9, 30, tzinfo=UTC)
MADE = NOW - timedelta(days=60)
TYPE = "Waldur.RemoteOffering"
OFFERING, RESOURCE, ORDER, USAGE, ITEM = 1, 2, 3, 4, 5  # kinds of uuids at remotes


class ResellerSite:
    """A provider, and a customer with one project that buys what the provider resells."""

    def __init__(self, scene: Scene):
        self.scene = scene
        self.provider = scene.customer("Provider")
        self.customer = scene.customer("Customer")
        self.project = scene.project(self.customer)
        self.author = scene.user("author@example.org")
        self._made = 0

    def offering(self, remote: RemoteWaldur, name: str = "Cluster", **values: Any) -> int:
        """An offering with a plan and a component of usage; its uuid at the remote is ``uuid_of(OFFERING, id)``."""
        secrets = {"api_url": remote.api_url, "token": remote.token, "customer_uuid": uuid_of(9, 1)}
        offering = self.scene.offering(
            self.provider, name, TYPE, secret_options=secrets, plugin_options={}, state=2, billable=True, **values
        )
        self.change(marketplace.offering, offering, backend_id=uuid_of(OFFERING, offering))
        component = self.scene.component(offering, "cpu", "usage")
        self.scene.price(self.scene.plan(offering), component, 2)
        return offering

    def resources(self, offering: int, count: int = 1, *, period: bool = True, **values: Any) -> list[int]:
        """Resources that are OK; their uuids at the remote are ``uuid_of(RESOURCE, id)``."""
        plan = self.scene.one(marketplace.plan, offering_id=offering).id
        made = []
        for _ in range(count):
            self._made += 1
            row: dict[str, Any] = {
                "name": f"Resource {self._made}",
                "created": MADE,
                "slug": f"resource-{self._made}",
            } | values
            resource = self.scene.resource(self.project, offering, plan, **row)
            self.change(marketplace.resource, resource, backend_id=uuid_of(RESOURCE, resource))
            if period:
                self.scene.add(marketplace.resourceplanperiod, resource_id=resource, plan_id=plan, start=MADE)
            made.append(resource)
        return made

    def order(self, resource: int, type: int, state: int = 2, **values: Any) -> int:
        """An order of a resource; its uuid at the remote is ``uuid_of(ORDER, id)``."""
        of_resource = self.scene.one(marketplace.resource, id=resource)
        self._made += 1
        row = {"offering_id": of_resource.offering_id, "project_id": self.project, "plan_id": of_resource.plan_id}
        row |= {"type": type, "state": state, "limits": {}, "attributes": {}, "created": NOW - timedelta(days=1)}
        row |= {"created_by_id": self.author, "slug": f"order-{self._made}", "error_message": ""} | values
        order = self.scene.add(marketplace.order, resource_id=resource, **row)
        self.change(marketplace.order, order, backend_id=uuid_of(ORDER, order))
        return order

    def run(
        self,
        do: Callable[..., Any],
        entry: str,
        *,
        month: tuple[int, int] | None = None,
        by_month: bool = True,
        now: datetime = NOW,
        dry_run: bool = False,
        **document: Any,
    ) -> Outcome:
        """Run the work of an entry, as of ``month`` (the running one) where it is an asset of months."""
        with self.scene.site(dry_run=dry_run, **document) as site:
            transactions: Transactions = site.transactions(entry, now)
            zone = site.deployment.zone
            of = Month(*month, zone) if month else Month.of(now, zone)
            do(transactions, *([of] if by_month else []))
            return site.outcome

    def change(self, table: Any, id: int, **values: Any) -> None:
        """Give a row other values."""
        whole = self.scene.whole(table)
        with self.scene.engine.begin() as connection:
            connection.execute(whole.update().where(whole.c.id == id).values(**values))


def usage(number: int, resource: int, offering: int, amount: str = "1.00", **values: Any) -> dict[str, Any]:
    """A usage as Waldur's API shows it."""
    facts = {
        "uuid": uuid_of(USAGE, number),
        "type": "cpu",
        "usage": amount,
        "description": "",
        "created": "2025-03-05T00:00:00Z",
        "date": "2025-03-05T00:00:00Z",
        "billing_period": "2025-03-01",
        "recurring": False,
        "resource_uuid": uuid_of(RESOURCE, resource),
        "offering_uuid": uuid_of(OFFERING, offering),
    }
    return facts | values


def order(number: int, state: str, resource: int | None = None, **values: Any) -> dict[str, Any]:
    """An order as Waldur's API shows it."""
    facts = {"uuid": uuid_of(ORDER, number), "state": state, "error_message": "", "type": "Create"}
    return facts | {"marketplace_resource_uuid": uuid_of(RESOURCE, resource) if resource else None} | values


def remote_resource(resource: int, offering: int, state: str = "OK", **values: Any) -> dict[str, Any]:
    """A resource as Waldur's API shows it."""
    facts = {"uuid": uuid_of(RESOURCE, resource), "offering_uuid": uuid_of(OFFERING, offering), "state": state}
    return facts | {"backend_id": "", "report": None, "attributes": {}, "options": {}} | values


def remote_item(number: int, resource: int, offering: int, **values: Any) -> dict[str, Any]:
    """An invoice item of March 2025 as Waldur's API shows it: 10 for 2.00 each."""
    facts = {
        "uuid": uuid_of(ITEM, number),
        "name": f"Item {number}",
        "start": "2025-03-01T00:00:00Z",
        "end": "2025-03-31T23:59:59.999999Z",
        "unit": "quantity",
        "measured_unit": "hours",
        "article_code": "CPU",
        "unit_price": "2.0000000000",
        "quantity": "10.0000000000",
        "details": {"plan_name": "Plan"},
        "resource_uuid": uuid_of(RESOURCE, resource),
        "offering_uuid": uuid_of(OFFERING, offering),
        "year": 2025,
        "month": 3,
    }
    return facts | values


Reselling = AbstractContextManager[tuple[ResellerSite, RemoteWaldur, int, list[int]]]


@contextmanager
def reselling(
    scene: Scene,
    path: str,
    item: Callable[[int, int], dict[str, Any]],
    count: int = 1,
    remote: RemoteWaldur | None = None,
    **values: Any,
) -> Iterator[tuple[ResellerSite, RemoteWaldur, int, list[int]]]:
    """A site with some resources of one remote, whose list at ``path`` has an item for each (of resource, offering)."""
    site = ResellerSite(scene)
    with serving_remote(remote) as served:
        offering = site.offering(served)
        made = site.resources(offering, count, **values)
        served.objects[path] = [item(one, offering) for one in made]
        yield site, served, offering, made
