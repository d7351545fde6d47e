"""Reminders of changes to projects that wait for the provider at another Waldur."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tests.scene import Scene
from waldur_dagster.outbox.tables import message
from waldur_dagster.remote.update_requests import NOTIFICATION, PENDING, remind_of_update_requests
from waldur_dagster.schema import core, marketplace_remote

NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


@pytest.fixture
def place(scene: Scene) -> Scene:
    scene.add(core.notification, key=NOTIFICATION, enabled=True)
    return scene


def _request(scene: Scene, project: int, age: timedelta = WEEK, state: int = PENDING) -> None:
    offering = scene.offering(scene.customer("Provider"), type="Waldur.RemoteOffering")
    facts = {"old_name": "Alpha", "new_name": "Beta"}
    scene.add(
        marketplace_remote.projectupdaterequest,
        project_id=project,
        offering_id=offering,
        state=state,
        created=NOON - age,
        **facts,
    )


def _owned(scene: Scene, *emails: str, **values: Any) -> int:
    customer = scene.customer()
    for email in emails:
        scene.owner(customer, email)
    return scene.project(customer, "Alpha", **values)


def _remind(scene: Scene, at: datetime = NOON, **document: Any) -> list[dict[str, Any]]:
    with scene.site(**document) as site, site.work("entry", at) as work:
        remind_of_update_requests(work)
    with scene.engine.connect() as connection:
        return list(connection.scalars(select(message.c.payload).order_by(message.c.id)))


def test_each_owner_gets_one_mail_for_each_project_however_many_changes_wait(place: Scene) -> None:
    first, second = _owned(place, "a@x.org", "b@x.org"), _owned(place, "a@x.org")
    for project in (first, first, second):
        _request(place, project)
    assert sorted(mail["to"][0] for mail in _remind(place)) == ["a@x.org", "a@x.org", "b@x.org"]


@pytest.mark.parametrize(
    ("age", "state", "told"),
    [(WEEK, PENDING, 1), (WEEK - timedelta(seconds=1), PENDING, 0), (2 * WEEK, 1, 0), (2 * WEEK, 3, 0)],
)
def test_what_has_waited_for_a_week_is_told(place: Scene, age: timedelta, state: int, told: int) -> None:
    _request(place, _owned(place, "a@x.org"), age, state)
    assert len(_remind(place)) == told


def test_nobody_is_told_of_a_removed_project(place: Scene) -> None:
    _request(place, _owned(place, "a@x.org", is_removed=True))
    assert _remind(place) == []


def test_a_run_that_is_tried_again_repeats_no_mail_and_the_next_week_s_does(place: Scene) -> None:
    _request(place, _owned(place, "a@x.org"))
    assert len(_remind(place)) == 1
    assert len(_remind(place, NOON + timedelta(hours=1))) == 1
    assert len(_remind(place, NOON + WEEK)) == 2


@pytest.mark.parametrize("home", ["https://portal.example.org", "https://portal.example.org/"])
def test_the_link_has_one_slash_whatever_the_site_s_address_ends_in(place: Scene, home: str) -> None:
    _request(place, _owned(place, "a@x.org"))
    (mail,) = _remind(place, waldur={"WALDUR_CORE.HOMEPORT_URL": home})
    assert "https://portal.example.org/projects/" in mail["body"]
    assert mail["body"].count("/marketplace-project-update-requests/") == 1
