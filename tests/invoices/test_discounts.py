"""Promotion campaigns change fixed prices (spec invoices 1.5, decisions D3 and D15)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Row

from tests.scene import Scene, bill
from waldur_dagster.schema import invoices, promotions

APRIL = "2025-04-01T00:00:00+00:00"
JOINED = datetime(2025, 4, 1, tzinfo=UTC)


class Site:
    """A resource at 100 times 2 a month, and campaigns that it joins."""

    def __init__(self, scene: Scene, billing_type: str = "fixed"):
        self.scene = scene
        self.provider = scene.customer("Provider")
        offering = scene.offering(self.provider)
        plan = scene.plan(offering)
        scene.price(plan, scene.component(offering, billing_type=billing_type), 100, 2)
        self.resource = scene.resource(scene.project(self.provider), offering, plan, limits={"cpu": 2})
        self.campaigns: list[int] = []

    def join(self, kind: str, discount: int, **values: Any) -> str:
        """Join a campaign; returns its uuid in hex."""
        if self.campaigns:
            provider = self.scene.one(promotions.campaign, id=self.campaigns[0]).service_provider_id
            facts = {"service_provider_id": provider, "discount_type": kind, "discount": discount, "months": 1}
            campaign = self.scene.add(promotions.campaign, **facts)
        else:
            campaign = self.scene.campaign(self.provider, kind, discount, 1)
        with self.scene.engine.begin() as connection:
            if values:
                whole = self.scene.whole(promotions.campaign)
                connection.execute(whole.update().where(whole.c.id == campaign).values(**values))
        self.campaigns.append(campaign)
        joined = {"campaign_id": campaign, "resource_id": self.resource, "created": JOINED}
        self.scene.add(promotions.discountedresource, **joined)
        return str(self.scene.one(promotions.campaign, id=campaign).uuid.hex)

    def item(self) -> Row:
        with self.scene.site() as site:
            bill(site, APRIL)
        return self.scene.one(invoices.invoiceitem)


def test_a_percentage_is_taken_off_price_and_amount_and_the_item_says_so(scene: Scene) -> None:
    campaign = (site := Site(scene)).join("discount", 15)
    item = site.item()
    assert item.unit_price == 170
    assert item.name.endswith(" Discount.")
    assert (item.details["campaign_uuid"], item.details["unit_price"]) == (campaign, 200)


def test_a_special_price_stands_for_price_and_amount(scene: Scene) -> None:
    (site := Site(scene)).join("special_price", 30)
    assert site.item().unit_price == 30


def test_a_special_price_above_the_usual_one_counts_too(scene: Scene) -> None:
    (site := Site(scene)).join("special_price", 300)
    assert site.item().unit_price == 300


def test_campaigns_apply_one_after_the_other(scene: Scene) -> None:
    first = (site := Site(scene)).join("discount", 10)
    second = site.join("discount", 20)
    item = site.item()
    assert item.unit_price == Decimal(144)
    assert first != second == item.details["campaign_uuid"]


def test_the_campaign_that_is_named_is_the_first_unless_a_later_one_is_cheaper(scene: Scene) -> None:
    first = (site := Site(scene)).join("special_price", 30)
    site.join("special_price", 40)
    item = site.item()
    assert (item.unit_price, item.details["campaign_uuid"]) == (40, first)


@pytest.mark.parametrize(
    "campaign",
    [{"state": 1}, {"state": 3}, {"end_date": "2025-01-01"}, {"start_date": "2026-01-01"}, {"coupon": "secret"}],
    ids=["draft", "terminated", "over", "not begun", "with a coupon"],
)
def test_only_the_months_since_joining_count(scene: Scene, campaign: dict) -> None:
    (site := Site(scene)).join("discount", 50, **campaign)
    assert site.item().unit_price == 100


def test_limits_have_no_discount(scene: Scene) -> None:
    (site := Site(scene, "limit")).join("discount", 50)
    item = site.item()
    assert item.unit_price == 100 and "campaign_uuid" not in item.details
