"""Notices of ends on newer sites, where projects have days of grace."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tests.scene import Scene
from waldur_dagster.marketplace.ending_notices import tell_of_ending_projects, tell_of_ending_resources
from waldur_dagster.outbox.tables import message
from waldur_dagster.schema import core

pytestmark = pytest.mark.generation("8")
TEN = datetime(2025, 3, 10, 10, tzinfo=UTC)
TODAY = TEN.date()


@pytest.fixture
def scene(scene: Scene) -> Scene:
    for kind in ("project", "resource"):
        scene.add(core.notification, key=f"marketplace.notification_about_{kind}_ending", enabled=True)
    return scene


def mails(scene: Scene, job: Any) -> list[dict[str, Any]]:
    with scene.site() as site, site.work("entry", TEN) as work:
        job(work)
    with scene.engine.connect() as connection:
        return list(connection.scalars(select(message.c.payload).order_by(message.c.id)))


def ending(days: int) -> Any:
    return TODAY + timedelta(days=days)


@pytest.mark.parametrize(
    ("end", "grace", "is_told"),
    [(1, None, True), (-4, 5, True), (2, 5, True), (1, 5, False), (7, 0, True), (0, None, False)],
    ids=["tomorrow", "last day of grace tomorrow", "grace ends in a week", "only the end date", "in a week", "today"],
)
def test_the_last_day_of_grace_is_what_is_told_of_to_everybody_in_the_project(
    scene: Scene, end: int, grace: int | None, is_told: bool
) -> None:
    project = scene.project(scene.customer(), "Alpha", end_date=ending(end), grace_period_days=grace)
    scene.role(scene.user("member@x.org"), "PROJECT.MEMBER", "project", project)
    assert [mail["to"] for mail in mails(scene, tell_of_ending_projects)] == ([["member@x.org"]] if is_told else [])


def test_a_user_gets_one_mail_about_all_projects_the_nearest_first(scene: Scene) -> None:
    customer = scene.customer()
    scene.owner(customer, "owner@x.org")
    scene.project(customer, "Later", end_date=ending(7))
    scene.project(customer, "Sooner", end_date=ending(1))
    for _ in range(2):
        (mail,) = mails(scene, tell_of_ending_projects)
    assert mail["subject"] == "2 projects end soon"
    assert mail["body"].index("Sooner ends tomorrow") < mail["body"].index("Later ends in 7 days")


@pytest.mark.parametrize(
    ("ends", "grace", "options", "is_told"),
    [
        ((1, None), None, {}, True),
        ((7, 3), None, {}, False),
        ((7, 3), 5, {}, True),
        ((None, 1), 5, {"disable_grace_period": True}, True),
        ((None, 1), None, {"disable_grace_period": True}, False),
        ((None, 1), 5, {}, False),
        ((9, 7), 5, {"disable_grace_period": True}, True),
    ],
    ids=["own end", "project ends before", "grace reaches it", "no grace", "nobody has grace", "grace", "the earlier"],
)
def test_the_earlier_of_a_resources_own_end_and_its_projects_is_told(
    scene: Scene, ends: tuple[int | None, int | None], grace: int | None, options: dict[str, Any], is_told: bool
) -> None:
    own, of_project = (None if days is None else ending(days) for days in ends)
    customer = scene.customer()
    project = scene.project(customer, end_date=of_project, grace_period_days=grace)
    offering = scene.offering(customer, plugin_options=options)
    scene.resource(project, offering, None, "vm", end_date=own)
    scene.role(scene.user("member@x.org"), "PROJECT.MEMBER", "project", project)
    assert [mail["to"] for mail in mails(scene, tell_of_ending_resources)] == ([["member@x.org"]] if is_told else [])
