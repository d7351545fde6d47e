"""What events set off, and the texts and settings that the site keeps in its database."""

from __future__ import annotations

import base64
import json
import pickle
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import literal, select

from tests.scene import Scene
from waldur_dagster.database.constance import BadConstanceValue, decode
from waldur_dagster.outbox.tables import message
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import json_list, json_object
from waldur_dagster.platform.templates import Templates
from waldur_dagster.schema import django, logging

NOW = datetime(2025, 4, 1, tzinfo=UTC)


def _log(scene: Scene, event_type: str, *feeds: tuple[int, int]) -> list[str]:
    """Log an event; the keys of what it sets off."""
    with scene.site() as site, site.work("e", NOW) as work:
        row = select(
            literal(event_type).label("event_type"),
            literal("It happened").label("message"),
            json_object().label("context"),
            json_list(*(json_list(*feed) for feed in feeds)).label("feeds"),
        )
        log_events(work, row)
    return [row.payload["to"][0] for row in scene.rows(message)]


def _notification(scene: Scene, **values: object) -> None:
    facts = {"hook_content_type_id": 1, "event_types": [], "event_groups": [], "name": "N", "roles": '["owner"]'}
    scene.add(logging.systemnotification, **(facts | values))


def test_owners_are_told_of_an_event_whose_group_is_named(scene: Scene) -> None:
    scene.owner(customer := scene.customer(), "boss@x.org")
    _notification(scene, event_groups=["invoices"])
    assert _log(scene, "invoice_created", (1, customer)) == ["boss@x.org"]
    assert _log(scene, "role_revoked", (1, customer)) == ["boss@x.org"]


def test_a_system_notification_with_malformed_roles_stops_nothing(scene: Scene) -> None:
    scene.owner(customer := scene.customer(), "boss@x.org")
    _notification(scene, event_types=["invoice_created"], roles="owner")
    _notification(scene, event_types=["invoice_created"])
    assert _log(scene, "invoice_created", (1, customer)) == ["boss@x.org"]


def test_an_event_that_no_log_shows_fires_no_hook(scene: Scene) -> None:
    staff = scene.user("s@x.org", is_staff=True)
    customer = scene.customer()
    hook = {"event_types": ["invoice_created"], "event_groups": [], "is_active": True}
    scene.add(logging.emailhook, user_id=staff, email="hook@x.org", **hook)
    assert _log(scene, "invoice_created") == []
    assert _log(scene, "invoice_created", (1, customer)) == ["hook@x.org"]


def _pickled(value: object) -> str:
    return base64.b64encode(pickle.dumps(value)).decode()


@pytest.mark.parametrize("value", ["text", 3, True, None, [1, "a"], {"a": 1}, date(2025, 4, 1)])
def test_pickles_of_plain_values_are_read(value: object) -> None:
    assert decode(_pickled(value)) == value


def test_values_in_the_json_form_are_read() -> None:
    assert decode(json.dumps({"__type__": "date", "__value__": "2025-04-01"})) == date(2025, 4, 1)


@pytest.mark.parametrize(
    "stored", [_pickled(print), "secret", '{"__type__": "decimal", "__value__": "secret"}', '{"__type__": []}']
)
def test_anything_else_is_refused_without_showing_it(stored: str) -> None:
    with pytest.raises(BadConstanceValue) as problem:
        decode(stored)
    assert "secret" not in str(problem.value)


@pytest.mark.parametrize("content", ["{% broken %}", "{% include 'nowhere' %}"])
def test_a_template_of_the_site_that_is_broken_gives_way_to_the_built_in_one(scene: Scene, content: str) -> None:
    name = "invoices/notification_subject.txt"
    scene.add(django.template, name=name, content=content)
    with scene.site() as site, site.work("e", NOW) as work:
        shown = Templates(work).render(name, {"customer": "Org", "month": 4, "year": 2025})
    assert "Org" in shown
    assert [finding.item for finding in site.outcome.warnings] == [f"template {name}"]


def test_a_template_of_the_site_wins(scene: Scene) -> None:
    scene.add(django.template, name="invoices/notification_subject.txt", content="Ours {{ customer }}")
    with scene.site() as site, site.work("e", NOW) as work:
        assert Templates(work).render("invoices/notification_subject.txt", {"customer": "Org"}) == "Ours Org"
