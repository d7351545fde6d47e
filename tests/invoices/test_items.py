"""What each kind of component costs in the month (spec invoices 1.4 to 1.6)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from tests.scene import Scene, bill
from waldur_dagster.schema import invoices, marketplace, promotions

MARCH = datetime(2025, 3, 9, tzinfo=UTC)
APRIL = "2025-04-01T00:00:00+00:00"
SLURM, TENANT = "SlurmInvoices.SlurmPackage", "OpenStack.Tenant"


def _limited(scene: Scene, limit: object, *, kind: str = "Marketplace.Basic", type_: str = "cpu", unit: str) -> None:
    customer = scene.customer()
    offering = scene.offering(customer, type=kind)
    plan = scene.plan(offering, unit=unit)
    scene.price(plan, scene.component(offering, type_, "limit", limit_period="month"), "0.1")
    scene.resource(scene.project(customer), offering, plan, "vm", limits={type_: limit})


@pytest.mark.parametrize(
    ("limit", "priced", "quantity", "total"),
    [
        (3, ("Marketplace.Basic", "cpu", "month"), "3", "90"),
        (3, ("Marketplace.Basic", "cpu", "day"), "90", "90"),
        (2.5, ("Marketplace.Basic", "cpu", "day"), "75", "75.0"),
        (0.1, ("Marketplace.Basic", "cpu", "month"), "0.1", "3.0"),
        (3, ("Marketplace.Basic", "cpu", "hour"), "3", "90"),
        (2047, (TENANT, "ram", "month"), "1", "30"),
        (2047, (TENANT, "cores", "month"), "2047", "61410"),
        (61, (SLURM, "cpu", "month"), "2", "60"),
        (61 * 1024, (SLURM, "ram", "month"), "2", "60"),
    ],
)
def test_a_limit_is_billed_in_the_unit_that_is_priced(
    scene: Scene, limit: float, priced: tuple[str, str, str], quantity: str, total: str
) -> None:
    kind, type_, unit = priced
    _limited(scene, limit, kind=kind, type_=type_, unit=unit)
    with scene.site() as site:
        bill(site, APRIL)
    item = scene.one(invoices.invoiceitem)
    (period,) = item.details["resource_limit_periods"]
    assert (item.quantity, period["total"]) == (Decimal(quantity), total)
    assert (period["start"], period["billing_periods"]) == ("2025-04-01T00:00:00+00:00", 30)


@pytest.mark.parametrize("limit", [0, -1, None])
def test_a_limit_of_nothing_or_without_bound_is_not_billed(scene: Scene, limit: int | None) -> None:
    _limited(scene, limit, unit="month")
    with scene.site() as site:
        assert bill(site, APRIL).warnings == []
    assert scene.rows(invoices.invoiceitem) == []


@pytest.mark.parametrize("limit", ["many", 10**13])
def test_a_limit_that_cannot_be_billed_is_told_and_stops_nobody(scene: Scene, limit: object) -> None:
    _limited(scene, limit, unit="month")
    _limited(scene, 2, unit="month")
    with scene.site() as site:
        done = bill(site, APRIL)
    assert [item.quantity for item in scene.rows(invoices.invoiceitem)] == [2]
    (warning,) = done.warnings
    assert "vm" in warning.item and str(limit) in warning.problem


def _used(scene: Scene, **usage: object) -> int:
    """A resource with a usage component at price 2; returns the plan period of its reports."""
    customer = scene.customer()
    offering = scene.offering(customer)
    plan = scene.plan(offering)
    component = scene.component(offering, "cpu", "usage")
    scene.price(plan, component, 2)
    resource = scene.resource(scene.project(customer), offering, plan)
    end = usage.pop("period_end", None)
    period = scene.add(marketplace.resourceplanperiod, resource_id=resource, plan_id=plan, end=end)
    facts = {
        "usage": 7,
        "recurring": True,
        "billing_period": date(2025, 3, 1),
        "date": datetime(2025, 3, 9, tzinfo=UTC),
    }
    scene.add(
        marketplace.componentusage, resource_id=resource, component_id=component, plan_period_id=period, **facts | usage
    )
    return period


def test_a_recurring_report_of_last_month_is_repeated_and_billed(scene: Scene) -> None:
    period = _used(scene)
    with scene.site() as site:
        bill(site, APRIL)
    copy = scene.one(marketplace.componentusage, billing_period=date(2025, 4, 1))
    item = scene.one(invoices.invoiceitem)
    assert (copy.usage, copy.recurring, copy.plan_period_id) == (7, True, period)
    assert (item.quantity, item.unit_price, item.unit) == (7, 2, "quantity")


@pytest.mark.parametrize(
    "usage",
    [
        {"recurring": False},
        {"billing_period": date(2025, 2, 1)},
        {"period_end": datetime(2025, 3, 20, tzinfo=UTC)},
    ],
    ids=["not recurring", "too old", "its plan period is over"],
)
def test_other_reports_are_not_repeated(scene: Scene, usage: dict) -> None:
    _used(scene, **usage)
    with scene.site() as site:
        bill(site, APRIL)
    assert len(scene.rows(marketplace.componentusage)) == 1
    assert scene.rows(invoices.invoiceitem) == []


def _discounted(scene: Scene, *, created: datetime, months: int) -> None:
    provider = scene.customer("Provider")
    offering = scene.offering(provider)
    plan = scene.plan(offering)
    scene.price(plan, scene.component(offering), 100)
    resource = scene.resource(scene.project(scene.customer()), offering, plan)
    campaign = scene.campaign(provider, "discount", 10, months)
    scene.add(promotions.discountedresource, campaign_id=campaign, resource_id=resource, created=created)


@pytest.mark.parametrize(
    ("created", "months", "price"),
    [
        (datetime(2025, 4, 1, tzinfo=UTC), 1, 90),
        (datetime(2025, 3, 31, tzinfo=UTC), 1, 100),
        (datetime(2024, 12, 15, tzinfo=UTC), 5, 90),
        (datetime(2024, 11, 15, tzinfo=UTC), 5, 100),
        (datetime(2025, 4, 1, tzinfo=UTC), 0, 100),
    ],
    ids=["this month", "over", "over the year's end", "over since March", "no months"],
)
def test_a_discount_lasts_its_months_also_over_the_end_of_a_year(
    scene: Scene, created: datetime, months: int, price: int
) -> None:
    _discounted(scene, created=created, months=months)
    with scene.site() as site:
        bill(site, APRIL)
    item = scene.one(invoices.invoiceitem)
    assert item.unit_price == price
    assert ("Discount." in item.name, "campaign_uuid" in item.details) == (price == 90, price == 90)


def test_the_month_is_that_of_the_sites_zone(scene: Scene) -> None:
    _limited(scene, 1, unit="month")
    local_midnight = datetime(2025, 3, 31, 21, 0, tzinfo=UTC)
    with scene.site(time_zone="Europe/Tallinn") as site:
        bill(site, local_midnight.isoformat())
    item, invoice = scene.one(invoices.invoiceitem), scene.one(invoices.invoice)
    assert (invoice.year, invoice.month, invoice.created) == (2025, 4, date(2025, 4, 1))
    assert (item.start, item.end) == (local_midnight, local_midnight + timedelta(days=30, microseconds=-1))
