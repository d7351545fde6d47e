"""What is paid once: with each change of a resource's plan (spec newer_billing 1.5)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Integer, literal, select

from tests.scene import Scene, bill
from waldur_dagster.marketplace.resource_states import change_resources
from waldur_dagster.schema import invoices, marketplace, promotions

APRIL, NOW = "2025-04-01T00:05:00+00:00", datetime(2025, 4, 10, 12, tzinfo=UTC)


def _change(scene: Scene, *resources: int, **values: Any) -> None:
    new = [literal(value, marketplace.resource.c[name].type).label(name) for name, value in values.items()]
    chosen = select(marketplace.resource.c.id.label("resource_id"), *new)
    wanted = chosen.where(marketplace.resource.c.id.in_([literal(one, Integer) for one in resources]))
    with scene.site() as site, site.work("waldur-remote-pull-orders", NOW) as work:
        change_resources(work, wanted.subquery("chosen"))


def _switch(scene: Scene) -> Any:
    """Change a plan, to one with a price of 100 times 3 for that, in a campaign; returns the item."""
    customer = scene.customer()
    offering = scene.offering(customer, billable=True)
    plan = scene.plan(offering)
    scene.price(plan, scene.component(offering, "setup", "few"), 100, amount=3)
    project = scene.project(customer)
    resource = scene.resource(project, offering, scene.plan(offering, "Old"), created=datetime(2025, 1, 5, tzinfo=UTC))
    campaign = scene.campaign(customer, "discount", 10, 12)
    joined = {"campaign_id": campaign, "resource_id": resource, "created": datetime(2025, 1, 5, tzinfo=UTC)}
    scene.add(promotions.discountedresource, **joined)
    with scene.site() as site:
        bill(site, APRIL)
    _change(scene, resource, plan_id=plan)
    return scene.one(invoices.invoiceitem)


@pytest.mark.generation("8")
@pytest.mark.parametrize("has_modes", [True, False])
def test_a_change_of_plan_costs_the_plans_amount_less_campaigns_and_counts_for_volume(
    scene: Scene, has_modes: bool
) -> None:
    """That the amount counts is newer than volume discounts: sites in between bill one."""
    if not has_modes:
        with scene.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE marketplace_plan DROP COLUMN billing_mode CASCADE")
    item, amount = _switch(scene), 3 if has_modes else 1
    assert (item.quantity, item.unit_price, item.details["discount_usage"]) == (amount, 90, amount)
    assert item.name.endswith(" Discount.") and item.details["unit_price"] == 100


def test_up_to_2024_a_change_of_plan_costs_one_price_less_campaigns(scene: Scene) -> None:
    item = _switch(scene)
    assert (item.quantity, item.unit_price) == (1, 90)
    assert "discount_usage" not in item.details and item.details["unit_price"] == 100
