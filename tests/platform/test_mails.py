"""What every mail has in common: footers, sender, reply address, the site's own texts (spec core 1.8)."""

from __future__ import annotations

import base64
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import MetaData, Table, text

from tests.mail_server import mail_server
from tests.scene import Scene
from waldur_dagster.outbox import Mail, put
from waldur_dagster.outbox.delivery import deliver
from waldur_dagster.platform.mail import Letter, notification_mails, plain_mail
from waldur_dagster.schema import constance, core, django

NOW = datetime(2025, 4, 1, tzinfo=UTC)
NOTIFICATION = "invoices.notification"
FACTS = {"customer": "R&D", "month": 4, "year": 2025, "link": "https://home.example/invoice/1"}


def _setting(scene: Scene, key: str, value: Any) -> None:
    stored = base64.b64encode(pickle.dumps(value, protocol=2)).decode()
    scene.add(constance.config, key=key, value=stored)


def _written(scene: Scene, *, enabled: bool = True, **document: Any) -> list[Mail]:
    """The mails of one notification to two addresses."""
    if not scene.rows(core.notification):
        scene.add(core.notification, key=NOTIFICATION, enabled=enabled)
    letters = [Letter(address, address, FACTS) for address in ("a@x.org", "b@x.org")]
    with scene.site(**document) as site, site.work("e", NOW) as work:
        return list(notification_mails(work, NOTIFICATION, letters))


def _template(scene: Scene, name: str, content: str, *sites: int) -> None:
    made = scene.add(django.template, name=f"invoices/{name}", content=content)
    for site in sites:
        scene.add(django.template_sites, template_id=made, site_id=site)


# Notifications


def test_a_notification_is_one_mail_for_each_address(scene: Scene) -> None:
    assert [mail.to for mail in _written(scene)] == [("a@x.org",), ("b@x.org",)]


def test_a_notification_that_is_switched_off_is_no_mail(scene: Scene) -> None:
    assert _written(scene, enabled=False) == []


def test_text_and_subject_are_not_escaped_and_html_is(scene: Scene) -> None:
    mail, _ = _written(scene)
    assert "R&D" in mail.subject and "R&D" in mail.body
    assert mail.html is not None and "R&amp;D" in mail.html


# Footers


@pytest.mark.parametrize(
    ("footers", "body", "html"),
    [
        ({}, "B", "<p>H</p>"),
        ({"COMMON_FOOTER_TEXT": "Us"}, "B\n\nUs", "<p>H</p>\n\n"),
        ({"COMMON_FOOTER_HTML": "<hr>"}, "B\n\n", "<p>H</p>\n\n<hr>"),
        ({"COMMON_FOOTER_TEXT": "Us", "COMMON_FOOTER_HTML": "<hr>"}, "B\n\nUs", "<p>H</p>\n\n<hr>"),
    ],
    ids=["none", "text", "html", "both"],
)
def test_the_sites_footers_stand_under_notifications_and_plain_mails(
    scene: Scene, footers: dict[str, str], body: str, html: str
) -> None:
    for key, value in footers.items():
        _setting(scene, key, value)
    _template(scene, "notification_message.txt", "B")
    _template(scene, "notification_message.html", "<p>H</p>")
    notification, _ = _written(scene)
    with scene.site() as site, site.work("e", NOW) as work:
        plain = plain_mail(work, "key", "a@x.org", "S", "B", html="<p>H</p>")
        without_html = plain_mail(work, "key", "a@x.org", "S", "B")
    assert (notification.body, notification.html) == (plain.body, plain.html) == (body, html)
    assert (without_html.body, without_html.html) == (body, None)


@pytest.mark.parametrize("table", ["constance_config", "constance_constance"])
def test_settings_are_read_from_the_table_of_either_constance(scene: Scene, table: str) -> None:
    if table != "constance_config":
        with scene.engine.begin() as connection:
            connection.execute(text(f"ALTER TABLE constance_config RENAME TO {table}"))
    with scene.engine.begin() as connection:
        row = {"key": "COMMON_FOOTER_TEXT", "value": '{"__type__": "default", "__value__": "Us"}'}
        connection.execute(text(f"INSERT INTO {table} (key, value) VALUES (:key, :value)"), row)
    mail, _ = _written(scene)
    assert mail.body.endswith("\n\nUs")


def test_reading_a_setting_writes_none(scene: Scene) -> None:
    _written(scene)
    assert scene.rows(constance.config) == []


# Sender and reply address


@pytest.mark.parametrize(("reply_to", "header"), [("help@x.org", "help@x.org"), ("", None)])
def test_the_reply_address_is_a_header_only_where_the_site_has_one(
    scene: Scene, reply_to: str, header: str | None
) -> None:
    waldur = {"DEFAULT_REPLY_TO_EMAIL": reply_to, "DEFAULT_FROM_EMAIL": "Waldur <us@x.org>"}
    with mail_server() as server, scene.site(waldur=waldur, mail=server.options) as site:
        with site.work("e", NOW) as work:
            put(work, [plain_mail(work, "key", "a@x.org", "S", "B")])
        deliver(site.engine, site.deployment)
    ((_, mail),) = server.received
    assert (mail["Reply-To"], mail["From"]) == (header, "Waldur <us@x.org>")


def test_a_mail_has_its_text_and_its_html(scene: Scene) -> None:
    scene.add(core.notification, key=NOTIFICATION, enabled=True)
    with mail_server() as server, scene.site(mail=server.options) as site:
        with site.work("e", NOW) as work:
            put(work, notification_mails(work, NOTIFICATION, [Letter("key", "a@x.org", FACTS)]))
        deliver(site.engine, site.deployment)
    ((_, mail),) = server.received
    plain, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None and "R&D" in plain.get_content()
    assert html is not None and "R&amp;D" in html.get_content()


# The site's own texts


def test_the_sites_own_text_wins_in_each_part_of_the_mail(scene: Scene) -> None:
    _template(scene, "notification_subject.txt", "\n  Ours {{ month }}\n")
    mail, _ = _written(scene)
    assert mail.subject == "Ours 4"
    assert "R&D" in mail.body


@pytest.mark.parametrize(
    ("sites", "subject"),
    [({"for us": (1,), "for all": ()}, "for us"), ({"for others": (2,), "for all": ()}, "for all")],
    ids=["this site", "another site"],
)
def test_a_text_for_this_site_wins_over_one_for_all_and_those_of_others_do_not_count(
    scene: Scene, sites: dict[str, tuple[int, ...]], subject: str
) -> None:
    assert [scene.add(Table("django_site", MetaData()), domain=name) for name in ("a", "b")] == [1, 2]
    for content, numbers in sites.items():
        _template(scene, "notification_subject.txt", content, *numbers)
    mail, _ = _written(scene)
    assert mail.subject == subject


def test_a_site_without_the_table_of_texts_sends_the_built_in_ones(scene: Scene) -> None:
    with scene.engine.begin() as connection:
        connection.execute(text("DROP TABLE django_template CASCADE"))
    mail, _ = _written(scene)
    assert mail.subject == "R&D's invoice for 4/2025"
