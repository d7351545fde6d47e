"""Owners are mailed the new month's invoice where the site wants it (spec invoices, customer mails)."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.scene import Scene, bill
from waldur_dagster.invoices.customer_mails import NOTIFICATION
from waldur_dagster.outbox.tables import message
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import constance, core, invoices

APRIL = "2025-04-01T00:00:00+00:00"
WANTED = {"WALDUR_INVOICES.SEND_CUSTOMER_INVOICES": True, "WALDUR_CORE.HOMEPORT_URL": "https://home.example/"}


def _bill(scene: Scene, *, enabled: bool | None = True, **document: Any) -> Outcome:
    """Bill April; ``enabled`` is the state of the notification's row, None when there is none."""
    if enabled is not None:
        scene.add(core.notification, key=NOTIFICATION, enabled=enabled)
    with scene.site(**{"waldur": WANTED} | document) as site:
        return bill(site, APRIL)


def _org(scene: Scene, name: str = "Org", *, price: float = 10, **values: Any) -> int:
    """A customer that pays a fixed price, with an owner."""
    customer = scene.customer(name, default_tax_percent=20, **values)
    offering = scene.offering(customer)
    plan = scene.plan(offering)
    scene.price(plan, scene.component(offering), price)
    scene.resource(scene.project(customer, "<Lab>"), offering, plan, "vm")
    scene.owner(customer, f"{name.lower()}@x.org")
    return customer


def _setting(scene: Scene, key: str, value: str) -> None:
    scene.add(constance.config, key=key, value=f'{{"__type__": "default", "__value__": "{value}"}}')


def _addresses(scene: Scene) -> list[str]:
    return [row.payload["to"][0] for row in scene.rows(message)]


def _document(scene: Scene) -> str:
    return str(scene.one(message).payload["attachments"][0]["content"])


# Who is told


def test_every_owner_gets_a_mail_of_his_own(scene: Scene) -> None:
    customer = _org(scene)
    scene.owner(customer, "second@x.org")
    _bill(scene)
    assert [row.payload["to"] for row in scene.rows(message)] == [["org@x.org"], ["second@x.org"]]


@pytest.mark.parametrize(
    ("user", "role"),
    [
        ({"is_active": False}, {}),
        ({"email": ""}, {}),
        ({"notifications_enabled": False}, {}),
        ({}, {"is_active": None}),
        ({}, {"is_active": False}),
        ({}, {"name": "CUSTOMER.MANAGER"}),
    ],
    ids=["inactive", "no address", "wants none", "revoked", "role ended", "no owner"],
)
def test_nobody_else_is_told(scene: Scene, user: dict, role: dict) -> None:
    customer = _org(scene)
    other = scene.user(**{"email": "other@x.org"} | user)
    scene.role(other, **{"name": "CUSTOMER.OWNER", "model": "customer", "object_id": customer} | role)
    _bill(scene)
    assert _addresses(scene) == ["org@x.org"]


def test_customers_with_a_fixed_price_contract_and_archived_ones_get_no_mail(scene: Scene) -> None:
    contracted = _org(scene, "Contracted")
    profile = {"payment_type": "fixed_price", "is_active": True}
    scene.add(invoices.paymentprofile, organization_id=contracted, **profile)
    scene.invoice(_org(scene, "Archived", archived=True), 2025, 4)
    _org(scene, "Usual")
    _bill(scene)
    assert _addresses(scene) == ["usual@x.org"]


def test_an_empty_invoice_is_mailed_too(scene: Scene) -> None:
    scene.owner(scene.customer(), "owner@x.org")
    _bill(scene)
    assert _addresses(scene) == ["owner@x.org"]


@pytest.mark.parametrize("enabled", [False, None], ids=["off", "missing"])
def test_nobody_is_told_while_the_notification_is_not_on(scene: Scene, enabled: bool | None) -> None:
    _org(scene)
    done = _bill(scene, enabled=enabled)
    assert scene.rows(message) == []
    assert done.failures == []


def test_nobody_is_told_unless_the_site_wants_it(scene: Scene) -> None:
    _org(scene)
    _bill(scene, waldur={})
    assert scene.rows(message) == []


def test_a_later_run_in_the_month_mails_only_who_had_no_mail(scene: Scene) -> None:
    customer = _org(scene)
    _bill(scene)
    scene.owner(customer, "late@x.org")
    _bill(scene, enabled=None)
    assert _addresses(scene) == ["org@x.org", "late@x.org"]


# What the mail says


def test_the_mail_names_customer_and_month_and_links_to_the_invoice(scene: Scene) -> None:
    _org(scene, "R&D")
    _bill(scene)
    mail, invoice = scene.one(message).payload, scene.one(invoices.invoice)
    assert mail["subject"] == "R&D's invoice for 4/2025"
    assert f"https://home.example/invoice/{invoice.uuid.hex}" in mail["body"]
    assert "R&amp;D" in mail["html"]


def test_the_document_is_named_after_site_and_month(scene: Scene) -> None:
    _setting(scene, "SITE_NAME", "Our own cloud")
    _org(scene)
    _bill(scene)
    (document,) = scene.one(message).payload["attachments"]
    assert (document["filename"], document["media_type"]) == ("Our_own_cloud_2025_4.html", "text/html")


def test_the_document_shows_number_items_tax_and_total(scene: Scene) -> None:
    _setting(scene, "CURRENCY_NAME", "SEK")
    _org(scene, price=1000)
    _bill(scene)
    shown = _document(scene)
    assert f"Invoice No. {100000 + scene.one(invoices.invoice).id}" in shown
    assert "Invoice date: Pending" in shown and "Due date" not in shown
    for amount in ("SEK 1,000.00", "SEK 200.00", "SEK 1,200.00"):
        assert amount in shown
    assert "1.0000000000" in shown
    assert "2025-04-01 00:00 to 2025-04-30 23:59" in shown
    assert "&lt;Lab&gt;" in shown


def test_an_item_that_costs_nothing_is_not_shown(scene: Scene) -> None:
    _org(scene, price=0)
    _bill(scene)
    assert "vm (" not in _document(scene)


def test_the_document_shows_the_parts_of_the_address_that_are_known(scene: Scene) -> None:
    _org(scene, country="EE", postal="10111", bank_name="Bank", vat_code="EE12345")
    _bill(scene)
    shown = _document(scene)
    assert "EE, 10111" in shown and "VAT EE12345" in shown
    assert "Bank, " not in shown.partition("<h3>To</h3>")[2]


def test_times_in_the_document_are_those_of_the_sites_zone(scene: Scene) -> None:
    _org(scene)
    _bill(scene, time_zone="Europe/Tallinn")
    assert "2025-04-01 00:00 to 2025-04-30 23:59" in _document(scene)


def test_the_logo_is_part_of_the_document(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(b"picture")
    _setting(scene, "SITE_LOGO", "logo.png")
    _org(scene)
    _bill(scene, media=str(tmp_path))
    assert f"data:image/png;base64,{base64.b64encode(b'picture').decode()}" in _document(scene)


def test_a_logo_that_cannot_be_read_is_a_warning_and_the_mail_is_sent(scene: Scene, tmp_path: Path) -> None:
    _setting(scene, "SITE_LOGO", "gone.png")
    _org(scene)
    done = _bill(scene, media=str(tmp_path))
    assert [warning.item for warning in done.warnings] == ["SITE_LOGO gone.png"]
    assert "<img" not in _document(scene)
