"""What is paid once: when a resource is made, and with each change of its plan (spec newer_billing 1.5 and 1.7)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Integer, literal, select

from tests.scene import Scene, bill
from tests.statements import counted
from waldur_dagster.marketplace.resource_states import change_resources
from waldur_dagster.schema import billing, invoices, logging, marketplace, promotions

APRIL, MAY = "2025-04-01T00:05:00+00:00", "2025-05-01T00:05:00+00:00"
NOW, END = datetime(2025, 4, 10, 12, tzinfo=UTC), datetime(2025, 4, 30, 23, 59, 59, 999999, tzinfo=UTC)
CREATING, OK, ERRED = 1, 2, 3


class Ordered:
    """A resource that is being made, of a plan with a price for the month, one to begin with, and one for its limit."""

    def __init__(self, scene: Scene, type: str = "Waldur.RemoteOffering", unit: str = "month"):
        self.scene, self.customer = scene, scene.customer()
        self.offering = scene.offering(self.customer, type=type, billable=True)
        self.plan = scene.plan(self.offering, unit=unit)
        scene.price(self.plan, scene.component(self.offering, "node", "fixed"), 30)
        scene.price(self.plan, scene.component(self.offering, "fee", "one"), 50, amount=2)
        scene.price(self.plan, scene.component(self.offering, "seats", "limit", limit_period="total"), 10)
        self.project = scene.project(self.customer)
        self.resource = self.order()

    def order(self, **values: Any) -> int:
        facts: dict[str, Any] = {
            "limits": {"seats": 50},
            "state": CREATING,
            "created": datetime(2025, 4, 9, tzinfo=UTC),
        } | values
        return self.scene.resource(self.project, self.offering, facts.pop("plan", self.plan), **facts)

    def bill(self, as_of: str = APRIL) -> None:
        with self.scene.site() as site:
            bill(site, as_of)

    def items(self, resource: int | None = None) -> dict[str, tuple[Decimal, Decimal]]:
        rows = self.scene.rows(invoices.invoiceitem, resource_id=resource or self.resource)
        found = {row.details["offering_component_type"]: (row.quantity, row.unit_price) for row in rows}
        assert len(found) == len(rows)
        return found


def _change(scene: Scene, *resources: int, **values: Any) -> tuple[int, list[str]]:
    """Returns how many statements it took, and what was told."""
    new = [literal(value, marketplace.resource.c[name].type).label(name) for name, value in values.items()]
    chosen = select(marketplace.resource.c.id.label("resource_id"), *new)
    wanted = chosen.where(marketplace.resource.c.id.in_([literal(one, Integer) for one in resources]))
    with (
        scene.site() as site,
        site.work("waldur-remote-pull-orders", NOW) as work,
        counted(work.connection) as statements,
    ):
        change_resources(work, wanted.subquery("chosen"))
    return len(statements), [warning.problem for warning in site.outcome.warnings]


@pytest.mark.generation("8")
def test_a_resource_that_has_been_made_costs_the_rest_of_the_month_and_what_is_paid_once(scene: Scene) -> None:
    ordered = Ordered(scene)
    ordered.bill()
    _change(scene, ordered.resource, state=OK)
    assert ordered.items() == {"node": (Decimal("0.70"), 30), "fee": (2, 50), "seats": (50, 10)}
    rows = scene.rows(invoices.invoiceitem)
    assert {(row.start, row.end) for row in rows} == {(NOW, END)}
    assert [row.details["discount_usage"] for row in rows] == [1, 2, 50]
    assert [row.details.get("limit_period") for row in rows] == [None, None, "total"]
    assert [row.unit for row in rows] == ["month", "quantity", "quantity"]
    assert scene.one(invoices.invoice).total_price == 21 + 100 + 500
    assert {row.total for row in scene.rows(billing.priceestimate)} == {621}
    assert len(scene.rows(logging.event, event_type="invoice_item_created")) == 3
    ordered.bill(MAY)
    assert [row.details["offering_component_type"] for row in scene.rows(invoices.invoiceitem)][3:] == ["node"]


@pytest.mark.parametrize(("unit", "seats"), [("month", 50), ("day", 50 * 21)])
def test_up_to_2024_one_of_each_is_paid_and_whole_limits_count_by_days_where_days_are_sold(
    scene: Scene, unit: str, seats: int
) -> None:
    ordered = Ordered(scene, "OpenStack.Tenant", unit)
    ordered.bill()
    _change(scene, ordered.resource, state=OK)
    node = {"month": Decimal("0.70"), "day": 21}[unit]
    assert ordered.items() == {"node": (node, 30), "fee": (1, 50), "seats": (seats, 10)}


def test_up_to_2024_what_other_waldurs_bill_costs_nothing_here(scene: Scene) -> None:
    ordered = Ordered(scene)
    ordered.bill()
    _change(scene, ordered.resource, state=OK)
    assert ordered.items() == {}


def test_a_month_without_an_invoice_gets_one_in_which_others_pay_nothing_again(scene: Scene) -> None:
    ordered = Ordered(scene, "Marketplace.Basic")
    other = ordered.order(state=OK)
    _change(scene, ordered.resource, state=OK)
    assert ordered.items() == {"node": (Decimal("0.70"), 30), "fee": (1, 50), "seats": (50, 10)}
    assert ordered.items(other) == {"node": (Decimal("0.70"), 30)}
    assert scene.one(invoices.invoice).total_price == 21 + 50 + 500 + 21
    assert {row.total for row in scene.rows(billing.priceestimate)} == {592}


def test_a_plan_without_prices_makes_no_invoice(scene: Scene) -> None:
    ordered = Ordered(scene, "Marketplace.Basic")
    free = scene.plan(ordered.offering, "Free")
    _change(scene, ordered.order(plan=free), state=OK)
    assert scene.rows(invoices.invoice) == []


@pytest.mark.generation("8")
def test_what_is_billed_already_is_not_billed_again(scene: Scene) -> None:
    ordered = Ordered(scene)
    erred = ordered.order(state=ERRED)
    ordered.bill()
    march = scene.invoice(ordered.customer, 2025, 3, "created")
    scene.item(march, 10, resource_id=erred, quantity=50, details={"offering_component_type": "seats"})
    _change(scene, erred, state=CREATING)
    _change(scene, erred, state=OK)
    assert ordered.items(erred) == {"node": (1, 30), "seats": (50, 10), "fee": (2, 50)}


@pytest.mark.generation("8")
def test_what_no_invoice_can_hold_is_told_and_the_rest_is_billed(scene: Scene) -> None:
    ordered = Ordered(scene)
    scene.price(ordered.plan, scene.component(ordered.offering, "gold", "one"), 10**11, amount=10**5)
    resource = ordered.order(limits={"seats": 10**13})
    ordered.bill()
    _, told = _change(scene, resource, state=OK)
    assert ordered.items(resource) == {"node": (Decimal("0.70"), 30), "fee": (2, 50)}
    assert [problem.partition(",")[0] for problem in told] == ["its gold", "its seats"]


@pytest.mark.generation("8")
@pytest.mark.parametrize(
    ("end", "months"),
    [(None, 1), (date(2025, 4, 1), 1), (date(2025, 5, 10), 1), (date(2025, 5, 11), 2), (date(2026, 4, 10), 12)],
)
def test_what_is_prepaid_costs_its_limit_for_each_month_that_begins(
    scene: Scene, end: date | None, months: int
) -> None:
    ordered = Ordered(scene)
    cores = scene.component(ordered.offering, "cores", "one", is_prepaid=True, limit_period="month")
    scene.price(ordered.plan, cores, 1, amount=7)
    ordered.bill()
    bought, unlimited = (ordered.order(limits={"cores": limit}, end_date=end) for limit in (10, -1))
    _change(scene, bought, unlimited, state=OK)
    assert ordered.items(bought)["cores"] == (10 * months, 1)
    assert "cores" not in ordered.items(unlimited)
    counted_usage = [row.details["discount_usage"] for row in scene.rows(invoices.invoiceitem, unit_price=1)]
    assert counted_usage == [10]


@pytest.mark.generation("8")
@pytest.mark.parametrize(("bought", "changed", "amounts"), [(50, 150, [-100, -200]), (300, 150, [-600]), (150, 50, [])])
def test_a_limit_on_the_whole_life_counts_for_volume_with_what_it_was_changed_by(
    scene: Scene, bought: int, changed: int, amounts: list[int]
) -> None:
    ordered = Ordered(scene)
    cores = scene.component(ordered.offering, "cores", "limit", limit_period="total")
    scene.price(ordered.plan, cores, 10, discount_formula="20 if usage >= 100 else 0", discount_aggregation="customer")
    ordered.bill()
    resource = ordered.order(limits={"cores": bought})
    _change(scene, resource, state=OK)
    _change(scene, resource, limits={"cores": changed})
    ordered.bill(MAY)
    discounts = [row for row in scene.rows(invoices.invoiceitem) if row.details.get("is_discount")]
    assert [row.unit_price for row in discounts] == amounts


@pytest.mark.generation("8")
def test_more_resources_take_no_more_statements(scene: Scene) -> None:
    seen = []
    for number in (1, 5):
        made = [Ordered(scene) for _ in range(number)]
        seen.append(_change(scene, *(ordered.resource for ordered in made), state=OK)[0])
    assert seen[0] == seen[1]


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
