"""Bookings that have begun are cancelled, and those of tomorrow announced."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.scene import Scene
from waldur_dagster.booking.past_bookings import reject_past_bookings
from waldur_dagster.booking.upcoming import remind_of_upcoming_bookings
from waldur_dagster.marketplace.states import OrderState, OrderType, ResourceState
from waldur_dagster.outbox.tables import message
from waldur_dagster.schema import core, marketplace, structure

NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)
REJECT, REMIND = (
    "waldur-mastermind-reject-past-bookings",
    "waldur-mastermind-send-notifications-about-upcoming-bookings",
)


def booking(scene: Scene, author: int, name: str, *starts: str, state: int, order: int | None, **values: Any) -> int:
    customer = scene.rows(structure.customer)[0].id
    offering = scene.offering(customer, type="Marketplace.Booking")
    project = scene.rows(structure.project)[0].id
    slots = [{"id": "1", "start": start, "end": start} for start in starts]
    values = {"attributes": {"schedules": slots}, "state": state} | values
    resource = scene.resource(project, offering, None, name, **values)
    if order is not None:
        scene.add(
            marketplace.order,
            resource_id=resource,
            offering_id=offering,
            project_id=project,
            created_by_id=author,
            type=OrderType.CREATE,
            state=order,
        )
    return resource


def test_an_unreadable_booking_is_reported_and_the_others_are_rejected(scene: Scene) -> None:
    scene.project(scene.customer())
    author = scene.user("guest@example.org")
    bad = [
        booking(scene, author, "empty", state=1, order=2, attributes={}),
        booking(scene, author, "words", "next week", state=1, order=2),
        booking(scene, author, "no order", "2025-03-01T08:00:00Z", state=1, order=None),
    ]
    zoneless = booking(scene, author, "zoneless", "2025-03-10T11:59:59", state=1, order=OrderState.PENDING_PROJECT)
    exact = booking(scene, author, "begins now", "2025-03-10T14:00:00+02:00", state=1, order=2)
    with scene.site() as site:
        with site.work(REJECT, NOON) as work:
            assert reject_past_bookings(work) == 1
        assert len(site.outcome.warnings) == len(bad)
    states = {row.id: row.state for row in scene.rows(marketplace.resource)}
    assert states == dict.fromkeys([*bad, exact], ResourceState.CREATING) | {zoneless: ResourceState.TERMINATED}


@pytest.mark.generation("8")
def test_a_booking_that_waits_for_its_start_date_is_rejected_too(scene: Scene) -> None:
    scene.project(scene.customer())
    author = scene.user("guest@example.org")
    booking(scene, author, "past", "2025-03-01T08:00:00Z", state=1, order=OrderState.PENDING_START_DATE)
    with scene.site() as site, site.work(REJECT, NOON) as work:
        reject_past_bookings(work)
    assert scene.one(marketplace.order).state == OrderState.CANCELED
    assert scene.one(marketplace.resource).state == ResourceState.TERMINATED


def test_the_last_booking_of_a_project_that_is_over_takes_it_along(scene: Scene) -> None:
    project = scene.project(scene.customer(), end_date=NOON.date())
    author = scene.user("guest@example.org")
    booking(scene, author, "past", "2025-03-01T08:00:00Z", state=1, order=2)
    with scene.site() as site, site.work(REJECT, NOON) as work:
        reject_past_bookings(work)
    assert scene.one(structure.project, id=project).is_removed


def test_one_mail_a_user_and_day_names_all_bookings_by_the_sites_time(scene: Scene) -> None:
    scene.project(scene.customer())
    scene.add(core.notification, key="booking.notification", enabled=True)
    guest, quiet = scene.user("guest@example.org"), scene.user("quiet@example.org", notifications_enabled=False)
    booking(scene, quiet, "silent", "2025-03-11T08:00:00Z", state=2, order=3)
    booking(scene, guest, "late", "2025-03-01T08:00:00Z", "2025-03-10T22:30:00Z", state=2, order=3)
    booking(scene, guest, "early", "2025-03-11T08:00:00Z", state=2, order=3)
    booking(scene, guest, "after", "2025-03-11T22:30:00Z", state=2, order=3)
    for _ in range(2):
        with scene.site(time_zone="Europe/Tallinn") as site, site.work(REMIND, NOON) as work:
            remind_of_upcoming_bookings(work)
    mail = scene.one(message, kind="mail").payload
    assert mail["to"] == ["guest@example.org"]
    assert [name in mail["body"] for name in ("late", "early", "after")] == [True, True, False]
