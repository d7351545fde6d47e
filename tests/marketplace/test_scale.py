"""Ten times the rows take the same statements, for each operational job of the marketplace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from jobs.marketplace import WORK
from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.marketplace.stale_resources import SWITCH
from waldur_dagster.marketplace.states import OrderState, OrderType, ResourceState
from waldur_dagster.schema import core, django, marketplace, marketplace_script

NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)
TODAY = NOON.date()
NOTIFICATIONS = (
    "marketplace.notification_about_project_ending",
    "marketplace.notification_about_resource_ending",
    "marketplace.notification_about_stale_resources",
    "marketplace.notify_provider_about_pending_order",
    "booking.notification",
)


@dataclass
class Shop:
    """Makes customers that each have an owner, a project and something for a job to do."""

    scene: Scene

    def __post_init__(self) -> None:
        for key in NOTIFICATIONS:
            self.scene.add(core.notification, key=key, enabled=True)
        self.scene.add(django.content_type, app_label="marketplace", model="robotaccount")
        self.provider = self.scene.customer("Provider")
        self.author = self.scene.owner(self.provider, "provider@example.org")
        self._offerings: dict[str, int] = {}

    def offering(self, kind: str) -> int:
        if kind not in self._offerings:
            options = {"language": "shell", "terminate": "true"}
            values: dict[str, Any] = {"shared": True, "billable": True, "secret_options": options}
            self._offerings[kind] = self.scene.offering(self.provider, kind, kind, **values)
        return self._offerings[kind]

    def project(self, **values: Any) -> int:
        customer = self.scene.customer()
        owner = self.scene.owner(customer, f"owner{customer}@example.org")
        project = self.scene.project(customer, **values)
        self.scene.role(owner, "PROJECT.MANAGER", "project", project)
        return project

    def resource(self, kind: str = "Marketplace.Basic", project: int | None = None, **values: Any) -> int:
        place = project or self.project()
        return self.scene.resource(place, self.offering(kind), None, **({"attributes": {}} | values))

    def ordered(self, order: OrderType, order_state: OrderState, resource: int, **values: Any) -> None:
        found = self.scene.one(marketplace.resource, id=resource)
        self.scene.add(
            marketplace.order,
            **({"created_by_id": self.author, "modified": NOON - timedelta(hours=3)} | values),
            resource_id=resource,
            offering_id=found.offering_id,
            project_id=found.project_id,
            type=order,
            state=order_state,
        )


def _booked(shop: Shop, day: datetime, state: ResourceState, order: OrderState) -> None:
    slot = {"id": "1", "start": day.isoformat(), "end": (day + timedelta(hours=1)).isoformat()}
    resource = shop.resource("Marketplace.Booking", state=state, attributes={"schedules": [slot]})
    found = shop.scene.one(marketplace.resource, id=resource)
    customer = shop.scene.user(f"guest{resource}@example.org")
    shop.ordered(OrderType.CREATE, order, found.id, created_by_id=customer)


def _failed(shop: Shop) -> None:
    resource = shop.resource("Marketplace.Slurm", state=ResourceState.ERRED, backend_id="")
    shop.ordered(OrderType.CREATE, OrderState.ERRED, resource)
    shop.ordered(OrderType.TERMINATE, OrderState.ERRED, resource)


def _robot(shop: Shop) -> None:
    shop.scene.add(marketplace.robotaccount, resource_id=shop.resource(), type="login", username="robot")


def _stuck(shop: Shop) -> None:
    resource = shop.resource("Marketplace.Script", state=ResourceState.CREATING)
    shop.ordered(OrderType.CREATE, OrderState.EXECUTING, resource)


def _waiting(shop: Shop) -> None:
    resource = shop.resource(project=shop.project(start_date=TODAY), state=ResourceState.CREATING)
    shop.ordered(OrderType.CREATE, OrderState.PENDING_PROJECT, resource)


# How one more item for each job is made.
ITEMS: dict[str, Callable[[Shop], Any]] = {
    "mark_resources_as_erred_after_timeout": _stuck,
    "terminate_resources_in_state_erred_without_backend_id_and_failed_terminate_order": _failed,
    "notification_about_project_ending": lambda shop: shop.project(end_date=TODAY + timedelta(days=1)),
    "notification_about_resource_ending": lambda shop: shop.resource(end_date=TODAY + timedelta(days=1)),
    "notify_about_stale_resource": lambda shop: shop.resource(),
    "process_pending_project_orders": _waiting,
    "remove_deleted_robot_accounts": _robot,
    "terminate_expired_resources": lambda shop: shop.resource("Marketplace.Script", end_date=TODAY),
    "terminate_resources_if_project_end_date_has_been_reached": lambda shop: shop.resource(
        "Marketplace.Script", project=shop.project(end_date=TODAY)
    ),
    "waldur-marketplace-script-remove-old-dry-runs": lambda shop: shop.scene.add(
        marketplace_script.dryrun, state=3, created=NOON - timedelta(days=2)
    ),
    "waldur-mastermind-reject-past-bookings": lambda shop: _booked(
        shop, NOON - timedelta(days=1), ResourceState.CREATING, OrderState.EXECUTING
    ),
    "waldur-mastermind-send-notifications-about-upcoming-bookings": lambda shop: _booked(
        shop, NOON + timedelta(days=1), ResourceState.OK, OrderState.DONE
    ),
}


@pytest.mark.parametrize("name", sorted(WORK))
def test_ten_times_the_items_take_the_same_statements(scene: Scene, name: str) -> None:
    shop = Shop(scene)
    with scene.engine.begin() as connection:  # as newer versions have it; every account is marked as deleted
        connection.execute(text("ALTER TABLE marketplace_robotaccount ADD COLUMN state integer NOT NULL DEFAULT 5"))
    seen = []
    for count in (1, 2, 20):
        for _ in range(count):
            ITEMS[name](shop)
        with scene.site(waldur={SWITCH: True}) as site:
            with site.work(name, NOON) as work, counted(work.connection) as statements:
                WORK[name](work)
            assert site.outcome.failures == []
            assert site.outcome.rows or site.outcome.figures, "there was nothing to do"
        seen.append(len(statements))
    # The first run makes what all share, such as the system robot.
    assert seen[1] == seen[2]
