"""Events of the billing on their way to web hooks, e-mail hooks and system notifications (spec core 1.7)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import literal, select

from tests.hook_server import hook_server
from tests.mail_server import free_port, mail_server
from tests.proposals.scenes import Calls
from tests.scene import BORN, LOOPBACK, Scene, bill
from waldur_dagster.outbox.delivery import Delivered, deliver
from waldur_dagster.outbox.operating import retry
from waldur_dagster.outbox.tables import message
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import json_list, json_object
from waldur_dagster.schema import django, logging, openstack, structure

APRIL = "2025-04-01T00:00:00+00:00"
JSON, FORM = 1, 2


def _org(scene: Scene, name: str = "Org") -> int:
    """A customer with an invoice of March, whose closing is an event."""
    scene.invoice(customer := scene.customer(name), 2025, 3)
    return customer


def _web_hook(scene: Scene, url: str, user: int, **values: Any) -> None:
    facts = {"content_type": JSON, "event_types": ["invoice_created"], "event_groups": [], "is_active": True}
    scene.add(logging.webhook, destination_url=url, user_id=user, **facts | values)


def _staff(scene: Scene) -> int:
    return scene.user("staff@x.org", is_staff=True)


def _bill(scene: Scene, **document: Any) -> Delivered:
    with scene.site(**document) as site:
        bill(site, APRIL)
        return deliver(site.engine, site.deployment)


# Web hooks


def test_a_web_hook_is_called_with_the_event_as_json(scene: Scene) -> None:
    customer = _org(scene)
    with hook_server() as server:
        _web_hook(scene, server.url, _staff(scene))
        _bill(scene)
    (call,) = server.calls
    event = scene.one(logging.event)
    assert call == {
        "created": "2025-04-01T00:00:00+00:00",
        "message": "Invoice for customer Org has been created.",
        "event_type": "invoice_created",
        "context": event.context,
    }
    assert scene.one(logging.feed).object_id == customer


def test_a_form_holds_the_context_as_json_text(scene: Scene) -> None:
    _org(scene)
    with hook_server() as server:
        _web_hook(scene, server.url, _staff(scene), content_type=FORM)
        _bill(scene)
    (call,) = server.calls
    assert call["event_type"] == "invoice_created"
    assert json.loads(call["context"])["customer_name"] == "Org"


@pytest.mark.parametrize(
    "hook", [{"is_active": False}, {"event_types": ["role_granted"]}], ids=["inactive", "other events"]
)
def test_other_hooks_are_not_called(scene: Scene, hook: dict) -> None:
    _org(scene)
    with hook_server() as server:
        _web_hook(scene, server.url, _staff(scene), **hook)
        _bill(scene)
    assert server.calls == []


def test_an_owner_is_told_of_his_own_customer_only(scene: Scene) -> None:
    own = _org(scene, "Own")
    _org(scene, "Other")
    with hook_server() as server:
        _web_hook(scene, server.url, scene.owner(own, "owner@x.org"))
        _bill(scene)
    assert [call["context"]["customer_name"] for call in server.calls] == ["Own"]


@pytest.mark.parametrize(
    ("name", "model", "values"),
    [
        ("PROJECT.MANAGER", "project", {}),
        ("CUSTOMER.MANAGER", "customer", {}),
        ("CUSTOMER.OWNER", "customer", {"is_active": False}),
    ],
)
def test_only_owners_see_the_events_of_a_customer(scene: Scene, name: str, model: str, values: dict) -> None:
    customer = _org(scene)
    scope = scene.project(customer) if model == "project" else customer
    user = scene.user("user@x.org")
    scene.role(user, name, model, scope, **values)
    with hook_server() as server:
        _web_hook(scene, server.url, user)
        _bill(scene)
    assert server.calls == []


# What makes an event visible


def _seen(scene: Scene, user: int, model: str, object_id: int) -> bool:
    """Whether the hook of a user fires for an event that only the log of this object shows."""
    fields = {"event_types": ["it_happened"], "event_groups": [], "is_active": True}
    scene.add(logging.emailhook, user_id=user, email="hook@x.org", **fields)
    with scene.site() as site, site.work("e", BORN) as work:
        feed = json_list(literal(scene.one(django.content_type, model=model).id), literal(object_id))
        values = {"message": literal("It happened"), "context": json_object(), "feeds": json_list(feed)}
        log_events(work, select(literal("it_happened").label("event_type"), *(v.label(k) for k, v in values.items())))
    return bool(scene.rows(message))


@pytest.mark.parametrize(
    ("role", "on"),
    [("PROJECT.MEMBER", "project"), ("CUSTOMER.SUPPORT", "customer"), ("CUSTOMER.OWNER", "customer")],
)
@pytest.mark.parametrize("model", ["resource", "tenant", "project"])
@pytest.mark.parametrize("here", [True, False], ids=["here", "elsewhere"])
def test_objects_of_a_project_are_seen_by_all_who_have_a_role_there(
    scene: Scene, model: str, role: str, on: str, here: bool
) -> None:
    customers = [scene.customer(name) for name in ("Own", "Other")]
    projects = [scene.project(customer) for customer in customers]
    settings = scene.add(structure.servicesettings)
    objects = {
        "resource": scene.resource(projects[0], scene.offering(customers[1]), None),
        "tenant": scene.add(openstack.tenant, project_id=projects[0], service_settings_id=settings),
        "project": projects[0],
    }
    scene.role(user := scene.user("user@x.org"), role, on, (projects if on == "project" else customers)[not here])
    assert _seen(scene, user, model, objects[model]) is here


@pytest.mark.parametrize(("role", "seen"), [("CUSTOMER.MANAGER", True), (None, False)])
def test_an_offering_is_seen_by_all_who_have_a_role_at_its_provider(scene: Scene, role: str | None, seen: bool) -> None:
    user, provider = scene.user("user@x.org"), scene.customer()
    if role:
        scene.role(user, role, "customer", provider)
    assert _seen(scene, user, "offering", scene.offering(provider)) is seen


@pytest.mark.parametrize("model", ["call", "proposal"])
def test_a_call_and_its_proposals_are_seen_at_the_office(scene: Scene, model: str) -> None:
    calls = Calls(scene)
    scene.role(user := scene.user("user@x.org"), "CUSTOMER.SUPPORT", "customer", calls.customer)
    assert _seen(scene, user, model, calls.call if model == "call" else calls.proposal(calls.round()))


@pytest.mark.parametrize(
    ("own", "others", "is_staff", "seen"),
    [
        ("project", "project", False, True),
        ("project", "customer", False, True),
        ("customer", "project", False, True),
        ("customer", None, False, False),
        ("customer", "project", True, False),
    ],
)
def test_a_user_is_seen_by_those_who_share_a_customer_or_project(
    scene: Scene, own: str, others: str | None, is_staff: bool, seen: bool
) -> None:
    customer = scene.customer()
    places = {"customer": customer, "project": scene.project(customer)}
    user, other = scene.user("user@x.org"), scene.user("other@x.org", is_staff=is_staff)
    scene.role(user, f"{own.upper()}.MEMBER", own, places[own])
    if others:
        scene.role(other, f"{others.upper()}.MANAGER", others, places[others])
    assert _seen(scene, user, "user", other) is seen


def test_everybody_sees_himself(scene: Scene) -> None:
    user = scene.user("user@x.org")
    assert _seen(scene, user, "user", user)


def test_an_answer_of_any_status_counts_as_delivered(scene: Scene) -> None:
    _org(scene)
    with hook_server(status=500) as server:
        _web_hook(scene, server.url, _staff(scene))
        assert _bill(scene).failed == []
    assert scene.one(message).state == "delivered"


def test_a_hook_that_is_down_is_called_later_and_stops_no_other(scene: Scene) -> None:
    _org(scene)
    staff = _staff(scene)
    with hook_server() as server:
        _web_hook(scene, f"http://127.0.0.1:{free_port()}/", staff)
        _web_hook(scene, server.url, staff)
        done = _bill(scene)
    assert len(server.calls) == 1
    assert [reason.partition(":")[0] for _, reason in done.failed] == ["web hook 127.0.0.1"]
    assert [row.state for row in scene.rows(message)] == ["waiting", "delivered"]


def test_a_hook_that_does_not_answer_is_asked_once_in_a_round(scene: Scene) -> None:
    for number in range(4):
        _org(scene, f"Org {number}")
    with hook_server(hang=0.6) as server:
        _web_hook(scene, server.url, _staff(scene))
        assert _bill(scene, web_hooks=LOOPBACK | {"timeout": 0.2}).not_delivered == 4
    assert len(server.calls) == 1
    assert {row.state for row in scene.rows(message)} == {"waiting"}


def test_a_second_run_calls_nobody_again(scene: Scene) -> None:
    _org(scene)
    with hook_server() as server:
        _web_hook(scene, server.url, _staff(scene))
        _bill(scene)
        _bill(scene)
        assert retry(scene.engine) == 0
    assert len(server.calls) == 1


def test_a_dry_run_tells_the_calls_and_makes_none(scene: Scene) -> None:
    _org(scene)
    with hook_server() as server:
        _web_hook(scene, server.url, _staff(scene))
        with scene.site(dry_run=True) as site:
            assert bill(site, APRIL).figures["web hooks"] == 1
        deliver(scene.engine, scene.deployment())
    assert server.calls == []


# E-mail hooks and system notifications


def test_an_email_hook_gets_the_message_with_the_sites_subject_and_sender(scene: Scene) -> None:
    _org(scene, "R&D")
    facts = {"event_types": ["invoice_created"], "event_groups": [], "is_active": True}
    for address in ("hook@x.org", ""):
        scene.add(logging.emailhook, user_id=_staff(scene), email=address, **facts)
    waldur = {"EMAIL_HOOK_FROM_EMAIL": "events@x.org", "WALDUR_CORE.NOTIFICATION_SUBJECT": "News"}
    with mail_server() as server:
        _bill(scene, waldur=waldur, mail=server.options, time_zone="Europe/Tallinn")
    ((recipients, mail),) = server.received
    assert (recipients, mail["Subject"], mail["From"]) == (["hook@x.org"], "News", "events@x.org")
    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None and text.get_content().strip() == "Invoice for customer R&D has been created."
    assert html is not None and "R&amp;D" in html.get_content() and "Apr 01 03:00 EEST" in html.get_content()


def test_a_system_notification_reaches_owners_even_those_who_want_no_other_mails(scene: Scene) -> None:
    customer = _org(scene)
    scene.owner(customer, "quiet@x.org", notifications_enabled=False)
    scene.owner(customer, "gone@x.org", is_active=False)
    scene.owner(_org(scene, "Other"), "other@x.org")
    scene.add(
        logging.systemnotification,
        hook_content_type_id=1,
        name="N",
        event_types=["invoice_paid"],
        event_groups=["invoices"],
        roles='["owner"]',
    )
    with mail_server() as server:
        _bill(scene, mail=server.options)
    assert server.addresses == ["other@x.org", "quiet@x.org"]
