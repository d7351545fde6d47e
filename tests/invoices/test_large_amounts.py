"""An amount that no invoice can hold is told, and stops the billing of nobody."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import text

from tests.scene import Scene, bill
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import invoices, marketplace

APRIL = "2025-04-01T00:00:00+00:00"


def _bill(scene: Scene) -> Outcome:
    with scene.site() as site:
        return bill(site, APRIL)


def _priced(
    scene: Scene, name: str, price: float, *, amount: int = 1, billing_type: str = "fixed", limits: dict | None = None
) -> int:
    """A customer with a resource of one component; returns the resource."""
    offering = scene.offering(customer := scene.customer(name))
    plan = scene.plan(offering)
    scene.price(plan, scene.component(offering, billing_type=billing_type), price, amount)
    return scene.resource(scene.project(customer), offering, plan, name, limits=limits or {})


@pytest.mark.parametrize(
    "resource",
    [
        {"price": 10**11, "amount": 100},
        {"price": 10**11, "billing_type": "limit", "limits": {"cpu": 10**6}},
        {"price": 1, "billing_type": "limit", "limits": {"cpu": 10**13}},
    ],
    ids=["price and amount", "cost of the limit", "limit"],
)
def test_a_resource_that_costs_too_much_for_an_invoice_is_told_and_the_others_are_billed(
    scene: Scene, resource: dict
) -> None:
    _priced(scene, "Huge", **resource)
    usual = _priced(scene, "Usual", 5)
    done = _bill(scene)
    billed = [item for item in scene.rows(invoices.invoiceitem) if item.resource_id == usual]
    assert [item.unit_price for item in billed] == [5]
    (warning,) = done.warnings
    assert "resource Huge" in warning.item and "too large for an invoice" in warning.problem
    assert len(scene.rows(invoices.invoice)) == 2


def test_recurring_usage_that_is_too_large_is_repeated_but_not_billed(scene: Scene) -> None:
    usages = {"Huge": 2 * 10**12, "Usual": 7}
    for name, usage in usages.items():
        resource = _priced(scene, name, 2, billing_type="usage")
        row = scene.one(marketplace.resource, id=resource)
        period = scene.add(marketplace.resourceplanperiod, resource_id=resource, plan_id=row.plan_id)
        scene.add(
            marketplace.componentusage,
            resource_id=resource,
            component_id=scene.one(marketplace.offeringcomponent, offering_id=row.offering_id).id,
            plan_period_id=period,
            usage=usage,
            recurring=True,
            date=datetime(2025, 3, 9, tzinfo=UTC),
            billing_period=date(2025, 3, 1),
        )
    done = _bill(scene)
    assert [item.quantity for item in scene.rows(invoices.invoiceitem)] == [7]
    assert len(scene.rows(marketplace.componentusage, billing_period=date(2025, 4, 1))) == 2
    (warning,) = done.warnings
    assert "resource Huge" in warning.item and "2000000000000" in warning.problem


@pytest.mark.parametrize("limit", ["1e-400", "-1e-320", "1e-310"])
def test_a_limit_that_no_number_can_hold_is_told_and_the_others_are_billed(scene: Scene, limit: str) -> None:
    tiny = _priced(scene, "Tiny", 5, billing_type="limit")
    usual = _priced(scene, "Usual", 5)
    with scene.engine.begin() as connection:
        connection.execute(
            text("UPDATE marketplace_resource SET limits = CAST(:limits AS jsonb) WHERE id = :id"),
            {"limits": f'{{"cpu": {limit}}}', "id": tiny},
        )
    done = _bill(scene)
    assert [item.resource_id for item in scene.rows(invoices.invoiceitem)] == [usual]
    (warning,) = done.warnings
    assert "resource Tiny" in warning.item and "next to nothing" in warning.problem
