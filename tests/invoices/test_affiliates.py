"""What affiliates earn when invoices are closed (spec newer_billing 2.10 and 2.11)."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.scene import Scene, bill
from waldur_dagster.schema import constance, invoices, logging

pytestmark = pytest.mark.generation("8")
APRIL = "2025-04-01T00:00:00+00:00"


def _enable(scene: Scene) -> None:
    value = json.dumps({"__type__": "default", "__value__": True})
    scene.add(constance.constance, key="AFFILIATES_ENABLED", value=value)


def _brought(scene: Scene, affiliate: int, percent: str, *prices: float, **link: Any) -> int:
    """A customer with an open invoice of March; returns the invoice."""
    customer = scene.customer()
    facts = {"fee_percent": percent, "is_active": True, "start_date": date(2025, 3, 1)} | link
    scene.add(invoices.customeraffiliate, customer_id=customer, affiliate_id=affiliate, **facts)
    invoice = scene.invoice(customer, 2025, 3)
    for price in prices:
        scene.item(invoice, price)
    return invoice


def test_an_affiliate_earns_a_share_of_what_is_left_to_pay_once(scene: Scene) -> None:
    _enable(scene)
    partner = scene.customer("Partner")
    invoice = _brought(scene, partner, "10", 100, -60)
    _brought(scene, partner, "12.345", 33.33)
    for _ in range(2):
        with scene.site() as site:
            bill(site, APRIL)
    assert [row.amount for row in scene.rows(invoices.affiliatefeeaccrual)] == [4, Decimal("4.12")]
    credit = scene.one(invoices.customercredit)
    assert (credit.customer_id, credit.value) == (partner, Decimal("8.12"))
    booked = scene.rows(invoices.credittransaction)
    assert [(row.amount, row.transaction_type) for row in booked] == [
        (4, "affiliate_fee"),
        (Decimal("4.12"), "affiliate_fee"),
    ]
    events = scene.rows(logging.event, event_type="increase_of_customer_credit_due_to_affiliate_fee")
    assert events[0].message == "Partner earned an affiliate fee of 4.00 for period 2025-03."
    assert [event.context["credit_balance"] for event in events] == [4, 8]
    assert scene.one(invoices.affiliatefeeaccrual, invoice_id=invoice).amount == 4


def test_a_credit_of_thousands_of_millions_is_told_too(scene: Scene) -> None:
    _enable(scene)
    partner = scene.customer("Partner")
    scene.add(invoices.customercredit, customer_id=partner, value=3 * 10**9)
    _brought(scene, partner, "10", 100)
    with scene.site() as site:
        bill(site, APRIL)
    (event,) = scene.rows(logging.event, event_type="increase_of_customer_credit_due_to_affiliate_fee")
    assert event.context["credit_balance"] == 3 * 10**9 + 10


@pytest.mark.parametrize(
    ("price", "link"),
    [
        (100, {"is_active": False}),
        (100, {"start_date": date(2025, 3, 2)}),
        (100, {"end_date": date(2025, 3, 1)}),
        (-100, {}),
        (0, {}),
    ],
)
def test_nothing_is_earned_without_a_link_or_with_nothing_to_pay(
    scene: Scene, price: float, link: dict[str, Any]
) -> None:
    _enable(scene)
    _brought(scene, scene.customer("Partner"), "10", price, **link)
    with scene.site() as site:
        bill(site, APRIL)
    assert scene.rows(invoices.affiliatefeeaccrual) == []


def test_fixed_price_contracts_and_sites_that_have_it_off_pay_no_share(scene: Scene) -> None:
    partner = scene.customer("Partner")
    _brought(scene, partner, "10", 100)
    with scene.site() as site:
        bill(site, APRIL)
    _enable(scene)
    invoice = _brought(scene, partner, "10", 100)
    customer = scene.one(invoices.invoice, id=invoice).customer_id
    contract = {"payment_type": "fixed_price", "is_active": True, "attributes": {}}
    scene.add(invoices.paymentprofile, organization_id=customer, **contract)
    with scene.site() as site:
        bill(site, APRIL)
    assert scene.rows(invoices.affiliatefeeaccrual) == []
