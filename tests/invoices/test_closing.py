"""Which invoices are closed, as what, and what tells of it (spec invoices, step 2)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from tests.scene import Scene, bill
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import django, invoices, logging

APRIL = "2025-04-01T00:00:00+00:00"


def _bill(scene: Scene, as_of: str = APRIL, **document: Any) -> Outcome:
    with scene.site(**document) as site:
        return bill(site, as_of)


def _profile(scene: Scene, customer: int, **values: object) -> None:
    facts = {"payment_type": "fixed_price", "is_active": True} | values
    scene.add(invoices.paymentprofile, organization_id=customer, **facts)


@pytest.mark.parametrize(("year", "month"), [(2025, 3), (2025, 1), (2024, 12), (2023, 5)])
def test_an_open_invoice_of_any_past_month_is_closed(scene: Scene, year: int, month: int) -> None:
    invoice = scene.invoice(scene.customer(), year, month)
    _bill(scene)
    closed = scene.one(invoices.invoice, id=invoice)
    assert (closed.state, closed.invoice_date) == ("created", date(2025, 4, 1))


@pytest.mark.parametrize(("year", "month"), [(2025, 4), (2025, 5), (2026, 1)])
def test_an_open_invoice_of_this_month_or_a_later_one_stays_open(scene: Scene, year: int, month: int) -> None:
    invoice = scene.invoice(scene.customer(), year, month)
    _bill(scene)
    left = scene.one(invoices.invoice, id=invoice)
    assert (left.state, left.invoice_date) == ("pending", None)


@pytest.mark.parametrize("state", ["created", "paid", "canceled"])
def test_what_is_not_open_is_left_as_it_is(scene: Scene, state: str) -> None:
    scene.invoice(scene.customer(), 2025, 3, state, total_price=7)
    before = scene.one(invoices.invoice)
    _bill(scene)
    assert scene.one(invoices.invoice, month=3) == before


@pytest.mark.parametrize("customer", [{"archived": True}, {"blocked": True}])
def test_customers_that_are_archived_or_blocked_have_their_invoices_closed_too(scene: Scene, customer: dict) -> None:
    scene.invoice(scene.customer(**customer), 2025, 3)
    _bill(scene)
    assert scene.one(invoices.invoice, month=3).state == "created"


@pytest.mark.parametrize(
    ("profile", "state"),
    [({}, "paid"), ({"is_active": None}, "created"), ({"payment_type": "invoices"}, "created")],
    ids=["in force", "not in force", "no fixed price"],
)
def test_an_invoice_is_paid_at_once_where_a_fixed_price_contract_is_in_force(
    scene: Scene, profile: dict, state: str
) -> None:
    customer = scene.customer("Org")
    _profile(scene, customer, **profile)
    scene.invoice(customer, 2025, 3)
    _bill(scene)
    assert scene.one(invoices.invoice, month=3).state == state
    event = scene.one(logging.event)
    assert event.event_type == f"invoice_{state}"
    assert event.message == f"Invoice for customer Org has been {state}."


def test_the_event_tells_the_month_of_the_closed_invoice_in_the_customers_log(scene: Scene) -> None:
    customer = scene.customer("Org", abbreviation="O", contact_details="Call us")
    scene.invoice(customer, 2025, 3)
    _bill(scene)
    event, feed = scene.one(logging.event), scene.one(logging.feed)
    assert {name: event.context[name] for name in ("year", "month", "customer_name", "customer_abbreviation")} == {
        "year": 2025,
        "month": 3,
        "customer_name": "Org",
        "customer_abbreviation": "O",
    }
    assert event.created == datetime(2025, 4, 1, tzinfo=UTC)
    customers = scene.one(django.content_type, model="customer").id
    assert (feed.content_type_id, feed.object_id) == (customers, customer)


def test_the_items_of_a_closed_invoice_stay_as_they_are(scene: Scene) -> None:
    scene.item(scene.invoice(scene.customer(), 2025, 3), 5)
    before = scene.rows(invoices.invoiceitem)
    _bill(scene)
    assert scene.rows(invoices.invoiceitem) == before


def test_the_invoice_date_is_that_of_the_sites_zone(scene: Scene) -> None:
    scene.invoice(scene.customer(), 2025, 3)
    _bill(scene, "2025-03-31T21:00:00+00:00", time_zone="Europe/Tallinn")
    assert scene.one(invoices.invoice, month=3).invoice_date == date(2025, 4, 1)
