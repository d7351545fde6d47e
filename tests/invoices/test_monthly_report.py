"""The monthly overview of contracts and invoices for accounting (spec invoices, monthly invoicing report)."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

import pytest

from tests.scene import Scene
from waldur_dagster.invoices.monthly_report import send_monthly_report
from waldur_dagster.outbox.tables import message
from waldur_dagster.outcome import Outcome
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import constance, invoices

ENTRY = "send-monthly-invoicing-reports-about-customers"
APRIL_2 = "2025-04-02T00:00:00+00:00"


def _send(scene: Scene, as_of: str = APRIL_2, **options: Any) -> Outcome:
    reporting = {"ENABLE": True, "EMAIL": "books@x.org"} | options
    now = datetime.fromisoformat(as_of)
    with scene.site(waldur={"WALDUR_INVOICES": {"INVOICE_REPORTING": reporting}}) as site:
        with site.work(ENTRY, now) as work:
            send_monthly_report(work, Month.of(now, site.deployment.zone))
        return site.outcome


def _tables(scene: Scene) -> list[list[list[str]]]:
    """The cells of the document's tables, a red one with an exclamation mark."""
    document = scene.one(message).payload["attachments"][0]["content"]
    cells = r"<td([^>]*)>(.*?)</td>"
    return [
        [
            [text + ("!" if "text-danger" in attributes else "") for attributes, text in re.findall(cells, row)]
            for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)[1:]
        ]
        for table in re.findall(r"<table>(.*?)</table>", document, re.DOTALL)
    ]


def _contract(scene: Scene, name: str = "Institute", *paid: float, **attributes: Any) -> int:
    customer = scene.customer(name)
    profile = scene.add(
        invoices.paymentprofile,
        organization_id=customer,
        payment_type="fixed_price",
        is_active=True,
        attributes=attributes,
    )
    for amount in paid:
        scene.add(invoices.payment, profile_id=profile, sum=amount)
    return customer


def test_nothing_is_sent_unless_the_site_asks_for_it(scene: Scene) -> None:
    _send(scene, ENABLE=False)
    assert scene.rows(message) == []


def test_the_mail_names_the_month_and_carries_the_document(scene: Scene) -> None:
    _send(scene)
    mail = scene.one(message).payload
    assert (mail["to"], mail["subject"]) == (["books@x.org"], "Financial report for 04-2025")
    (document,) = mail["attachments"]
    assert (document["filename"], document["media_type"]) == ("04_2025_invoice_report.html", "text/html")
    assert "Contracts do not exist." in document["content"]


def test_a_second_run_in_the_month_sends_nothing_again_and_the_next_month_does(scene: Scene) -> None:
    for instant in (APRIL_2, "2025-04-20T00:00:00+00:00", "2025-05-02T00:00:00+00:00"):
        _send(scene, instant)
    assert [row.payload["subject"][-7:] for row in scene.rows(message)] == ["04-2025", "05-2025"]


def test_invoices_of_the_month_are_shown_with_tax_by_abbreviation_and_name(scene: Scene) -> None:
    for name, abbreviation, price in (("Zoo", "", 1000), ("Botany", "BOT", 2), ("<Art>", "", 0)):
        customer = scene.customer(name, abbreviation=abbreviation)
        april = scene.invoice(customer, 2025, 4, tax_percent=20, invoice_date=date(2025, 4, 1))
        scene.item(april, price)
        scene.item(scene.invoice(customer, 2025, 3), 7)
    _send(scene)
    (shown,) = _tables(scene)
    assert shown == [
        ["&lt;Art&gt;", "2025-04-01", "0.00"],
        ["Zoo", "2025-04-01", "1,200.00"],
        ["BOT", "2025-04-01", "2.40"],
    ]


def test_a_customer_with_a_contract_is_shown_among_the_contracts_only(scene: Scene) -> None:
    customer = _contract(scene, "Institute", 40, 60, contract_sum=100, end_date="2025-12-31")
    scene.item(scene.invoice(customer, 2025, 4), 5)
    _send(scene)
    contracts, shown = _tables(scene)
    assert contracts == [["Institute", "2025-12-31", "273", "100.00", "100.00"]]
    assert shown == []


@pytest.mark.parametrize(
    ("end", "days"),
    [("2025-05-31", "59!"), ("2025-06-01", "60"), ("2025-04-02", "0!"), ("2025-04-01T23:00:00+02:00", "-1!")],
)
def test_a_contract_that_ends_in_less_than_60_days_is_red(scene: Scene, end: str, days: str) -> None:
    _contract(scene, end_date=end)
    _send(scene)
    assert _tables(scene)[0][0][1:3] == [end[:10], days]


@pytest.mark.parametrize(
    ("agreed", "paid", "cells"),
    [
        (100, 100, ["100.00", "100.00"]),
        (100, 90, ["100.00!", "90.00!"]),
        ("100", 100, ["100.00!", "100.00!"]),
        (None, 90, ["0.00", "90.00"]),
    ],
    ids=["paid", "not all", "a text", "no sum"],
)
def test_sums_are_red_when_the_payments_are_not_what_was_agreed(
    scene: Scene, agreed: Any, paid: float, cells: list[str]
) -> None:
    _contract(scene, "Institute", paid, contract_sum=agreed)
    _send(scene)
    assert _tables(scene)[0][0][3:] == cells


@pytest.mark.parametrize(
    "attributes",
    [{"end_date": 20251231}, {"end_date": "2025-02-30"}, {"contract_sum": "a lot"}],
    ids=["a number", "no such day", "no sum"],
)
def test_what_staff_wrote_wrongly_is_a_warning_and_the_report_is_sent(scene: Scene, attributes: dict) -> None:
    _contract(scene, **attributes)
    done = _send(scene)
    (warning,) = done.warnings
    assert warning.item == "contract of Institute"
    (contract,) = _tables(scene)[0]
    assert [cell.rstrip("!") for cell in contract] == ["Institute", "", "", "0.00", "0.00"]


def test_the_sites_footer_stands_under_the_text(scene: Scene) -> None:
    footer = '{"__type__": "default", "__value__": "Yours, Waldur"}'
    scene.add(constance.config, key="COMMON_FOOTER_TEXT", value=footer)
    _send(scene)
    assert scene.one(message).payload["body"] == "Financial report for 04-2025 is attached.\n\nYours, Waldur"
