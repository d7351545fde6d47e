"""The stored totals of the month's invoices are kept fresh (spec invoices 1.2, update-invoices-total-cost)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.invoices.totals import refresh_month_totals
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import invoices, logging

ENTRY = "update-invoices-total-cost"
NOON = "2025-04-15T12:00:00+00:00"


def _refresh(scene: Scene, as_of: str = NOON, zone: str = "UTC") -> dict[str, int]:
    now = datetime.fromisoformat(as_of)
    with scene.site(time_zone=zone) as site:
        with site.work(ENTRY, now) as work:
            refresh_month_totals(work, Month.of(now, site.deployment.zone))
        return dict(site.outcome.rows["invoices_invoice"])


def _april(scene: Scene, *prices: float | str, state: str = "pending", **values: object) -> int:
    invoice = scene.invoice(scene.customer(archived=True), 2025, 4, state, **{"tax_percent": 20} | values)
    for price in prices:
        scene.item(invoice, price)
    return invoice


@pytest.mark.parametrize("state", ["pending", "created", "paid", "canceled"])
def test_a_stale_total_is_made_right_in_every_state(scene: Scene, state: str) -> None:
    _april(scene, 10, 5, state=state, total_price=1, total_cost=1)
    assert _refresh(scene) == {"updated": 1}
    made = scene.one(invoices.invoice)
    assert (made.total_price, made.total_cost, made.state) == (15, 18, state)


def test_an_invoice_without_items_costs_nothing(scene: Scene) -> None:
    _april(scene, total_price=5, total_cost=6)
    _refresh(scene)
    made = scene.one(invoices.invoice)
    assert (made.total_price, made.total_cost) == (0, 0)


def test_what_is_right_is_not_written_again(scene: Scene) -> None:
    _april(scene, 10)
    _refresh(scene)
    assert _refresh(scene) == {}


@pytest.mark.parametrize(
    ("prices", "tax", "price", "cost"),
    [
        (["0.0000001"], 0, "0.01", "0.01"),
        (["-3.333"], 0, "-3.34", "-3.34"),
        (["0.011", "0.011"], 0, "0.04", "0.04"),
        (["0.10"], 5, "0.10", "0.11"),
        (["-0.10"], 5, "-0.10", "-0.11"),
    ],
    ids=["up to a cent", "away from zero", "each item by itself", "half a cent of tax", "of a refund"],
)
def test_prices_are_rounded_up_item_by_item_and_the_tax_once(
    scene: Scene, prices: list[str], tax: int, price: str, cost: str
) -> None:
    _april(scene, *prices, tax_percent=tax)
    _refresh(scene)
    made = scene.one(invoices.invoice)
    assert (made.total_price, made.total_cost) == (Decimal(price), Decimal(cost))


def test_the_month_is_that_of_the_sites_zone_and_other_months_are_left_alone(scene: Scene) -> None:
    _april(scene, 10)
    scene.item(scene.invoice(scene.customer(), 2025, 3, total_price=1), 7)
    _refresh(scene, "2025-03-31T21:00:00+00:00", "Europe/Tallinn")
    assert [row.total_price for row in scene.rows(invoices.invoice)] == [10, 1]


def test_nothing_is_told(scene: Scene) -> None:
    _april(scene, 10)
    _refresh(scene)
    assert scene.rows(logging.event) == []


def test_more_invoices_take_no_more_statements(scene: Scene) -> None:
    seen = []
    for count in (2, 20):
        for _ in range(count):
            _april(scene, 1, 2)
        now = datetime.fromisoformat(NOON)
        with scene.site() as site, site.work(ENTRY, now) as work, counted(work.connection) as statements:
            assert refresh_month_totals(work, Month.of(now, site.deployment.zone)) == count
            seen.append(len(statements))
    assert seen[0] == seen[1]
