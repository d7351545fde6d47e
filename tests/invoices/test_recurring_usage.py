"""Which usage is repeated when the month begins, and what it costs (spec invoices 1.6, decisions D9 and D16)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Row

from tests.scene import Scene, bill
from waldur_dagster.schema import invoices, marketplace

APRIL = "2025-04-01T00:00:00+00:00"
FEBRUARY, MARCH, NOW, MAY = (date(2025, month, 1) for month in (2, 3, 4, 5))


class Metered:
    """A resource whose usage of one component costs 2 a unit."""

    def __init__(self, scene: Scene, *, offering_type: str = "Marketplace.Basic", type: str = "cpu", **resource: Any):
        self.scene = scene
        offering = scene.offering(customer := scene.customer(), "Cloud", type=offering_type)
        self.plan = scene.plan(offering, "Small")
        self.component = scene.component(offering, type, "usage", name="Cores")
        scene.price(self.plan, self.component, 2, 9)
        self.resource = scene.resource(scene.project(customer), offering, self.plan, "vm", **resource)
        self.period = self.plan_period()

    def plan_period(self, plan: int | None = None, **values: Any) -> int:
        facts = {"resource_id": self.resource, "plan_id": plan or self.plan} | values
        return self.scene.add(marketplace.resourceplanperiod, **facts)

    def usage(self, usage: float, period: date = MARCH, *, recurring: bool = True, **values: Any) -> int:
        facts = {
            "component_id": self.component,
            "plan_period_id": self.period,
            "date": datetime(2025, 3, 9, tzinfo=UTC),
        }
        row = facts | {"resource_id": self.resource, "billing_period": period, "recurring": recurring} | values
        return self.scene.add(marketplace.componentusage, usage=usage, **row)

    def bill(self) -> tuple[list[Decimal], list[Decimal]]:
        """This month's usages, and the quantities of the items."""
        with self.scene.site() as site:
            bill(site, APRIL)
        usages = self.scene.rows(marketplace.componentusage, billing_period=NOW)
        return [row.usage for row in usages], [item.quantity for item in self.items]

    @property
    def items(self) -> list[Row]:
        return self.scene.rows(invoices.invoiceitem)


def test_the_copy_is_a_report_of_today_with_the_words_of_its_source(scene: Scene) -> None:
    author = scene.user("author@x.org")
    (site := Metered(scene)).usage(7, description="As agreed", backend_id="b1", modified_by_id=author)
    site.bill()
    copy = scene.one(marketplace.componentusage, billing_period=NOW)
    now = datetime(2025, 4, 1, tzinfo=UTC)
    assert (copy.description, copy.modified_by_id, copy.backend_id) == ("As agreed", author, "")
    assert copy.created == copy.modified == copy.date == now
    assert copy.recurring


def test_the_item_is_named_after_resource_and_component_and_priced_without_amount(scene: Scene) -> None:
    (site := Metered(scene)).usage(7)
    site.bill()
    (item,) = site.items
    assert (item.name, item.unit_price, item.unit) == ("vm / Cores", 2, "quantity")
    assert "resource_limit_periods" not in item.details


@pytest.mark.parametrize("recurring", [True, False])
def test_a_report_of_this_month_that_is_there_wins_and_is_billed(scene: Scene, recurring: bool) -> None:
    (site := Metered(scene)).usage(7)
    site.usage(3, NOW, recurring=recurring)
    assert site.bill() == ([3], [3])


def test_a_report_of_this_month_alone_was_billed_when_it_came(scene: Scene) -> None:
    (site := Metered(scene)).usage(3, NOW, recurring=False)
    assert site.bill() == ([3], [])


def test_of_several_reports_the_newest_is_repeated(scene: Scene) -> None:
    (site := Metered(scene)).usage(7, MARCH)
    site.usage(5, MAY)
    site.usage(9, FEBRUARY)
    assert site.bill() == ([5], [5])


@pytest.mark.parametrize(
    ("state", "found"), [(1, ([7], [7])), (3, ([7], [7])), (6, ([], []))], ids=["creating", "erred", "terminated"]
)
def test_usage_of_a_resource_that_is_gone_is_not_repeated(scene: Scene, state: int, found: tuple) -> None:
    (site := Metered(scene, state=state)).usage(7)
    assert site.bill() == found


def test_usage_without_a_plan_period_is_repeated_but_not_billed(scene: Scene) -> None:
    (site := Metered(scene)).usage(7, plan_period_id=None)
    assert site.bill() == ([7], [])


def test_usage_that_the_plan_has_no_price_for_is_repeated_but_not_billed(scene: Scene) -> None:
    site = Metered(scene)
    offering = scene.one(marketplace.offering).id
    site.usage(7, component_id=scene.component(offering, "ram", "usage"))
    assert site.bill() == ([7], [])


def test_usage_of_an_offering_that_is_not_billed_here_is_repeated_but_not_billed(scene: Scene) -> None:
    (site := Metered(scene, offering_type="Waldur.RemoteOffering")).usage(7)
    assert site.bill() == ([7], [])


def test_usage_is_billed_by_the_plan_of_its_time_and_shows_the_plan_of_today(scene: Scene) -> None:
    site = Metered(scene)
    offering = scene.one(marketplace.offering).id
    former = scene.plan(offering, "Former")
    scene.price(former, site.component, 5)
    site.usage(7, plan_period_id=site.plan_period(former))
    site.bill()
    (item,) = site.items
    assert (item.unit_price, item.details["plan_name"]) == (5, "Small")


def test_an_item_lies_where_month_and_plan_period_meet(scene: Scene) -> None:
    site = Metered(scene)
    start, end = datetime(2025, 4, 5, tzinfo=UTC), datetime(2025, 4, 20, tzinfo=UTC)
    site.usage(7, plan_period_id=site.plan_period(start=start, end=end))
    site.bill()
    (item,) = site.items
    assert (item.start, item.end) == (start, end)


@pytest.mark.parametrize(
    ("end", "found"),
    [
        (datetime(2025, 3, 31, 23, 59, 59, tzinfo=UTC), ([], [])),
        (datetime(2025, 4, 1, tzinfo=UTC), ([], [])),
        (datetime(2025, 4, 1, 0, 0, 1, tzinfo=UTC), ([7], [7])),
    ],
    ids=["before the month", "as it begins", "when it has begun"],
)
def test_usage_of_a_plan_period_that_was_over_is_neither_repeated_nor_billed(
    scene: Scene, end: datetime, found: tuple
) -> None:
    site = Metered(scene)
    site.usage(7, plan_period_id=site.plan_period(end=end))
    assert site.bill() == found


@pytest.mark.parametrize(
    ("kind", "type", "usage", "quantity"),
    [
        ("SlurmInvoices.SlurmPackage", "cpu", 61, 2),
        ("SlurmInvoices.SlurmPackage", "ram", 61 * 1024, 2),
        ("OpenStack.Tenant", "ram", 2047, 1),
        ("OpenStack.Tenant", "cores", "7.9", 7),
        ("Marketplace.Slurm", "cpu", "7.9", Decimal("7.9")),
    ],
)
def test_usage_is_billed_in_the_unit_that_is_priced(
    scene: Scene, kind: str, type: str, usage: float, quantity: Decimal
) -> None:
    (site := Metered(scene, offering_type=kind, type=type)).usage(usage)
    assert site.bill() == ([Decimal(usage)], [quantity])


def test_a_plan_period_that_ends_at_the_first_instant_of_the_month_belongs_to_the_month_before(
    scene: Scene,
) -> None:
    site = Metered(scene)
    with scene.engine.begin() as connection:
        connection.execute(marketplace.resourceplanperiod.update().values(end=datetime(2025, 4, 1, tzinfo=UTC)))
    site.usage(7)
    other = scene.plan(scene.one(marketplace.resource, id=site.resource).offering_id, "Large")
    scene.price(other, site.component, 3)
    site.usage(7, plan_period_id=site.plan_period(other))
    assert site.bill() == ([Decimal(7)], [Decimal(7)])
    assert [item.unit_price for item in site.items] == [3]
