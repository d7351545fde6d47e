"""Closed invoices are copied for PayPal where the site takes payments with it (spec invoices 1.8)."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import text

from tests.scene import Scene, bill
from waldur_dagster.availability import missing_parts
from waldur_dagster.billing.monthly import ENTRY
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import invoices, logging, paypal

APRIL = "2025-04-01T00:00:00+00:00"
PAYPAL = {"WALDUR_PAYPAL.ENABLED": True, "WALDUR_INVOICES.PAYMENT_INTERVAL": 14}


def _bill(scene: Scene) -> Outcome:
    with scene.site(waldur=PAYPAL) as site:
        return bill(site, APRIL)


def test_an_invoice_that_is_closed_is_copied_with_its_items(scene: Scene) -> None:
    customer = scene.customer("Org", country="EE", address='1 "Main" street')
    march = scene.invoice(customer, 2025, 3, tax_percent=20)
    scene.item(march, "1.005", quantity="2.7", unit="month", name="x" * 300)
    scene.item(march, 5)
    _bill(scene)
    copy = scene.one(paypal.invoice)
    assert (copy.state, copy.year, copy.month, copy.customer_id) == ("DRAFT", 2025, 3, customer)
    assert (copy.invoice_date, copy.end_date) == (date(2025, 4, 1), date(2025, 4, 15))
    monthly, other = scene.rows(paypal.invoiceitem)
    assert (monthly.price, monthly.tax, monthly.unit_price) == (Decimal("2.72"), Decimal("0.54"), Decimal("1.01"))
    assert (monthly.quantity, monthly.unit_of_measure, monthly.name) == (2, "AMOUNT", "x" * 255)
    assert (other.price, other.quantity, other.unit_of_measure) == (5, 1, "QUANTITY")


def test_the_copy_names_the_issuer_and_the_customer_in_compact_json(scene: Scene) -> None:
    customer = scene.customer('Õ "Org"', country="EE", address="Street\n1")
    scene.item(scene.invoice(customer, 2025, 3), 5)
    with scene.site(waldur=PAYPAL | {"WALDUR_INVOICES.ISSUER_DETAILS": {"company": "We", "bank": "B"}}) as site:
        bill(site, APRIL)
    copy = scene.one(paypal.invoice)
    assert copy.issuer_details == '{"company":"We","bank":"B"}'
    assert copy.payment_details.startswith(
        '{"name":"Õ \\"Org\\"","address":"Street\\n1","country":"EE","country_name":"E'
    )
    assert json.loads(copy.payment_details)["country_name"] == "Estonia"


@pytest.mark.parametrize(("country", "name"), [("", None), ("EU", "European Union"), ("ZZ", "")])
def test_a_customer_without_a_country_has_no_name_of_one(scene: Scene, country: str, name: str | None) -> None:
    customer = scene.customer(country=country)
    scene.item(scene.invoice(customer, 2025, 3), 10)
    with scene.site(waldur=PAYPAL) as site:
        bill(site, APRIL)
    details = json.loads(scene.one(paypal.invoice).payment_details)
    assert (details["country"], details["country_name"]) == (country, name)


def test_the_copy_is_told_in_the_customers_log(scene: Scene) -> None:
    customer = scene.customer("Org")
    scene.item(scene.invoice(customer, 2025, 3), 5)
    _bill(scene)
    event = scene.one(logging.event, event_type="invoice_creation_succeeded")
    assert event.context["invoice_uuid"] == scene.one(paypal.invoice).uuid.hex
    assert scene.one(logging.feed, event_id=event.id).object_id == customer


def test_what_is_paid_already_or_costs_nothing_is_not_copied(scene: Scene) -> None:
    contracted, free = scene.customer("Contracted"), scene.customer("Free")
    scene.add(
        invoices.paymentprofile,
        organization_id=contracted,
        payment_type="fixed_price",
        is_active=True,
    )
    scene.item(scene.invoice(contracted, 2025, 3), 5)
    balanced = scene.invoice(free, 2025, 3)
    for price in (5, -5):
        scene.item(balanced, price)
    _bill(scene)
    assert scene.rows(paypal.invoice) == []
    assert {row.state for row in scene.rows(invoices.invoice, month=3)} == {"paid", "created"}


@pytest.mark.parametrize(
    "item",
    [
        {"price": 10**7},
        {"price": "9999999.995"},
        {"price": 100, "quantity": 10**6},
        {"price": "0.001", "quantity": 2**31},
        {"price": 3, "quantity": -2},
    ],
    ids=["dear", "dear once rounded", "dear in all", "many", "less than none"],
)
def test_an_invoice_that_paypal_cannot_hold_is_closed_and_reported_and_the_others_are_copied(
    scene: Scene, item: dict
) -> None:
    large, usual = scene.customer("Large"), scene.customer("Usual")
    invoice = scene.invoice(large, 2025, 3)
    scene.item(invoice, **item, name="Too much")
    scene.item(invoice, 1)
    scene.item(scene.invoice(usual, 2025, 3), 5)
    done = _bill(scene)
    assert scene.one(paypal.invoice).customer_id == usual
    assert scene.one(invoices.invoice, id=invoice).state == "created"
    (failure,) = done.failures
    assert failure.item == f"invoice {100000 + invoice} of Large"
    assert "Too much" in failure.problem
    assert len(scene.rows(invoices.invoice, month=4)) == 2


def test_without_paypal_nothing_is_copied(scene: Scene) -> None:
    scene.item(scene.invoice(scene.customer(), 2025, 3), 5)
    with scene.site() as site:
        bill(site, APRIL)
    assert scene.rows(paypal.invoice) == []


def test_a_site_without_paypals_tables_may_bill_only_while_paypal_is_off(scene: Scene) -> None:
    with scene.engine.begin() as connection:
        connection.execute(text("DROP TABLE waldur_paypal_invoiceitem, waldur_paypal_invoice"))
    with scene.site() as site:
        assert missing_parts(site, ENTRY) == []
    with scene.site(waldur=PAYPAL) as site:
        (missing,) = missing_parts(site, ENTRY)
    assert "waldur_paypal_invoice, waldur_paypal_invoiceitem" in missing and "WALDUR_PAYPAL" in missing
