"""Owners are reminded that a fixed price contract ends (spec invoices, upcoming ends)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.scene import Scene
from waldur_dagster.invoices.upcoming_ends import NOTIFICATION, remind_of_upcoming_ends
from waldur_dagster.outbox.tables import message
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import core, invoices

MARCH_10 = "2025-03-10T01:00:00+00:00"
IN_14_DAYS = "2025-03-24"


def _remind(scene: Scene, as_of: str = MARCH_10, **document: Any) -> Outcome:
    with scene.site(**document) as site:
        with site.work("send-notifications-about-upcoming-ends", datetime.fromisoformat(as_of)) as work:
            remind_of_upcoming_ends(work)
        return site.outcome


def _contract(scene: Scene, end: Any = IN_14_DAYS, name: str = "Org", **values: Any) -> int:
    """A customer with such a contract; the first one switches the notification on."""
    if not scene.rows(core.notification):
        scene.add(core.notification, key=NOTIFICATION, enabled=True)
    customer = scene.customer(name)
    scene.owner(customer, f"{name.lower()}@x.org")
    facts = {"payment_type": "fixed_price", "is_active": True} | values
    attributes = {"end_date": end, "contract_number": "C-7"}
    scene.add(invoices.paymentprofile, organization_id=customer, **{"attributes": attributes} | facts)
    return customer


def _addresses(scene: Scene) -> list[str]:
    return [row.payload["to"][0] for row in scene.rows(message)]


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("2025-05-09", True),
        ("2025-04-09", True),
        (IN_14_DAYS, True),
        ("2025-03-11", True),
        ("2025-03-10", False),
        ("2025-03-12", False),
        ("2025-03-24T23:59:00-10:00", True),
    ],
    ids=["60 days", "30 days", "14 days", "tomorrow", "today", "2 days", "with a time"],
)
def test_owners_are_told_60_30_14_and_1_days_before(scene: Scene, end: str, told: bool) -> None:
    _contract(scene, end)
    _remind(scene)
    assert _addresses(scene) == (["org@x.org"] if told else [])


def test_today_is_that_of_the_sites_zone(scene: Scene) -> None:
    _contract(scene, "2025-03-25")
    _remind(scene, "2025-03-10T23:00:00+00:00", time_zone="Europe/Tallinn")
    assert _addresses(scene) == ["org@x.org"]


@pytest.mark.parametrize(
    "profile",
    [{"is_active": None}, {"payment_type": "invoices"}, {"attributes": {}}, {"attributes": {"end_date": ""}}],
    ids=["not active", "no fixed price", "no end", "empty end"],
)
def test_other_profiles_are_stepped_over(scene: Scene, profile: dict) -> None:
    _contract(scene, **profile)
    assert _remind(scene).warnings == []
    assert _addresses(scene) == []


@pytest.mark.parametrize("end", [20250324, "2025-02-30", ["2025-03-24"]], ids=["a number", "no such day", "a list"])
def test_a_malformed_end_is_a_warning_and_the_other_owners_are_told(scene: Scene, end: Any) -> None:
    _contract(scene, end, "Bad")
    _contract(scene, IN_14_DAYS, "Good")
    done = _remind(scene)
    assert [warning.item for warning in done.warnings] == ["contract of Bad"]
    assert done.failures == []
    assert _addresses(scene) == ["good@x.org"]


def test_the_mail_says_whose_contract_ends_when(scene: Scene) -> None:
    _contract(scene, name="R&D")
    _remind(scene)
    mail = scene.one(message).payload
    assert mail["subject"] == "R&D's fixed price contract C-7 is coming to an end"
    assert "March 24, 2025" in mail["body"] and "R&D" in mail["body"]
    assert "R&amp;D" in mail["html"]


@pytest.mark.parametrize(
    ("attributes", "shown"), [({}, "contract  is"), ({"contract_number": None}, "contract None is")]
)
def test_a_contract_without_a_number_is_told_all_the_same(scene: Scene, attributes: dict[str, Any], shown: str) -> None:
    _contract(scene, attributes={"end_date": IN_14_DAYS} | attributes)
    _remind(scene)
    assert shown in scene.one(message).payload["subject"]


def test_a_second_run_on_the_same_day_tells_nobody_again(scene: Scene) -> None:
    _contract(scene)
    _remind(scene)
    _remind(scene, "2025-03-10T20:00:00+00:00")
    assert len(scene.rows(message)) == 1


def test_nobody_is_told_while_the_notification_is_off(scene: Scene) -> None:
    scene.add(core.notification, key=NOTIFICATION, enabled=False)
    _contract(scene)
    _remind(scene)
    assert _addresses(scene) == []


def test_a_reminder_of_a_day_without_a_run_goes_out_late_and_once(scene: Scene) -> None:
    _remind(scene, "2025-03-07T01:00:00+00:00")
    _contract(scene, "2025-03-23", "Missed")  # 14 days before it nothing ran
    _contract(scene, "2025-03-20", "Before")
    for _ in range(2):
        _remind(scene)
    assert _addresses(scene) == ["missed@x.org"]
