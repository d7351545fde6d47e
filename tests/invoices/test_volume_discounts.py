"""What is taken off for what was used in all, when an invoice is closed (spec newer_billing 1.10 and 1.12)."""

from __future__ import annotations

import random
from decimal import ROUND_UP, Decimal
from typing import Any

import pytest

from tests.scene import Scene, bill
from waldur_dagster.schema import invoices, logging

pytestmark = pytest.mark.generation("8")
APRIL = "2025-04-01T00:00:00+00:00"
TEN = "20 if usage >= 10 else 0"
HUNDRED = "20 if usage >= 100 else 0"


class Bought:
    """A customer's open invoice of March, with items of one price that has a volume discount."""

    def __init__(self, scene: Scene, formula: str, *, aggregation: str = "customer", price: float = 10, **plan: Any):
        self.scene, self.price = scene, price
        self.customer = scene.customer()
        self.project = scene.project(self.customer)
        self.offering = scene.offering(self.customer, "Cloud")
        self.plan = scene.plan(self.offering, **{"name": "Gold"} | plan)
        component = scene.component(self.offering, "cpu", "limit", name="Cores")
        self.priced = scene.price(
            self.plan, component, price, discount_formula=formula, discount_aggregation=aggregation
        )
        self.invoice = scene.invoice(self.customer, 2025, 3)

    def resource(self, name: str) -> int:
        return self.scene.resource(self.project, self.offering, None, name, state=6)

    def item(self, resource: int, quantity: float, usage: Any = None, **values: Any) -> int:
        details = {"discount_usage": quantity if usage is None else usage} | values.pop("details", {})
        facts = {"resource_id": resource, "plan_component_id": self.priced, "project_id": self.project}
        price = values.pop("price", self.price)
        return self.scene.item(self.invoice, price, quantity=quantity, details=details, **(facts | values))

    def discounts(self) -> list[Any]:
        items = self.scene.rows(invoices.invoiceitem, invoice_id=self.invoice)
        return [item for item in items if item.details.get("is_discount")]


def _amounts(bought: Bought) -> list[Decimal]:
    return [item.unit_price for item in bought.discounts()]


@pytest.mark.parametrize(
    ("aggregation", "quantities", "amounts", "total"),
    [
        ("customer", [6, 6], [-12, -12], 96),
        ("resource", [6, 6], [], None),
        ("resource", [12], [-24], 96),
        ("customer", [9.99], [], None),
    ],
)
def test_usage_is_added_up_by_customer_or_by_resource(
    scene: Scene, aggregation: str, quantities: list[float], amounts: list[int], total: Any
) -> None:
    bought = Bought(scene, TEN, aggregation=aggregation)
    for number, quantity in enumerate(quantities):
        bought.item(bought.resource(f"vm{number}"), quantity)
    with scene.site() as site:
        bill(site, APRIL)
    assert _amounts(bought) == amounts
    closed = scene.one(invoices.invoice, id=bought.invoice)
    assert closed.state == "created" and total in (None, closed.total_price)
    assert {item.details["aggregated_usage"] for item in bought.discounts()} <= {12.0}


@pytest.mark.parametrize(
    ("first", "change", "amounts"),
    [((50, 10), (100, 10), [-100, -200]), ((300, 10), (150, -10), [-600]), ((150, 10), (100, -10), [])],
)
def test_limits_of_a_whole_life_count_as_they_are_after_all_changes(
    scene: Scene, first: tuple[int, int], change: tuple[int, int], amounts: list[int]
) -> None:
    bought = Bought(scene, HUNDRED)
    resource = bought.resource("vm")
    for quantity, price in (first, change):
        bought.item(resource, quantity, quantity if price > 0 else -quantity, price=price)
    with scene.site() as site:
        bill(site, APRIL)
    assert _amounts(bought) == amounts


def test_a_discount_names_what_it_is_for(scene: Scene) -> None:
    bought = Bought(scene, "CEIL(usage / 5) * 50")
    main = bought.item(bought.resource("vm"), 6, article_code="A-1")
    with scene.site() as site:
        bill(site, APRIL)
    (discount,) = bought.discounts()
    assert discount.name == "vm (Cloud / Gold) / Cores / Volume discount (100%)"
    assert (discount.article_code, discount.measured_unit, discount.plan_component_id) == ("A-1", "", bought.priced)
    assert discount.details == {
        "is_discount": True,
        "discount_type": "org_volume_discount",
        "discount_formula": "CEIL(usage / 5) * 50",
        "discount_percent": 100.0,
        "aggregated_usage": 6.0,
        "offering_component_type": "cpu",
        "offering_component_name": "Cores",
        "discount_of_item": scene.one(invoices.invoiceitem, id=main).uuid.hex,
    }


def test_plans_are_never_joined_and_what_has_no_usage_counts_nowhere(scene: Scene) -> None:
    gold = Bought(scene, TEN)
    component = scene.component(gold.offering, "ram", "limit")
    silver = scene.price(scene.plan(gold.offering, "Silver"), component, 10, discount_formula=TEN)
    resource = gold.resource("vm")
    gold.item(resource, 6)
    gold.item(resource, 6, plan_component_id=silver)
    gold.item(resource, 6, "six")
    gold.item(resource, 6, plan_component_id=None)
    scene.item(gold.invoice, 10, quantity=6, plan_component_id=gold.priced, details={"discount_usage": 6})
    with scene.site() as site:
        assert bill(site, APRIL).warnings == []
    assert gold.discounts() == []


def test_a_broken_formula_is_told_with_its_plan_and_the_others_are_discounted(scene: Scene) -> None:
    broken, good = Bought(scene, "usage per cent", name="Bronze"), Bought(scene, TEN)
    for bought in (broken, good):
        bought.item(bought.resource("vm"), 12)
    with scene.site() as site:
        done = bill(site, APRIL)
    (warning,) = done.warnings
    assert "cpu" in warning.item and "Bronze" in warning.item and "usage per cent" in warning.problem
    assert (_amounts(broken), _amounts(good)) == ([], [-24])
    assert {invoice.state for invoice in scene.rows(invoices.invoice, month=3)} == {"created"}


def test_an_invoice_that_was_opened_again_gets_its_discounts_anew(scene: Scene) -> None:
    bought = Bought(scene, TEN)
    main = bought.item(bought.resource("vm"), 12)
    hex_of_main = scene.one(invoices.invoiceitem, id=main).uuid.hex
    old = {"is_discount": True, "discount_of_item": hex_of_main, "discount_usage": 12}
    bought.item(bought.resource("vm"), 1, price=-99, details=old)
    with scene.site() as site:
        bill(site, APRIL)
    assert _amounts(bought) == [-24]
    assert len(scene.rows(logging.event, event_type="invoice_item_deleted")) == 1


def test_an_invoice_that_stays_open_keeps_no_discount_of_the_attempt(scene: Scene) -> None:
    bought = Bought(scene, TEN)
    bought.item(bought.resource("vm"), 12)
    credit = scene.add(invoices.customercredit, customer_id=bought.customer, value=50, expected_consumption=0)
    # What an earlier closing took is given back first, and that is more than a balance holds.
    bought.item(bought.resource("huge"), 1, price=-(10**12) + 1, credit_id=credit, details={"is_compensation": True})
    with scene.site() as site:
        assert len(bill(site, APRIL).failures) == 1
    assert (scene.one(invoices.invoice, id=bought.invoice).state, bought.discounts()) == ("pending", [])
    assert scene.rows(logging.event, event_type="invoice_item_created") == []


def test_discounts_are_told_before_the_credits_that_pay_what_is_left(scene: Scene) -> None:
    bought = Bought(scene, TEN)
    bought.item(bought.resource("vm"), 12)
    scene.add(invoices.customercredit, customer_id=bought.customer, value=50, expected_consumption=0)
    with scene.site() as site:
        bill(site, APRIL)
    told = [event.message for event in scene.rows(logging.event)]
    place = {name: next(n for n, text in enumerate(told) if name in text) for name in ("Volume discount", "credit by")}
    assert place["Volume discount"] < place["credit by"]


def test_discounts_agree_with_a_slow_computation(scene: Scene) -> None:
    rng = random.Random(7)
    price = Decimal("1.2345678901")
    formula, percent = "5 if usage < 100 else 12.5 if usage < 400 else 33.333", Decimal("33.333")
    bought = Bought(scene, formula, price=float(price))
    resources = [bought.resource(f"vm{number}") for number in range(10)]
    quantities = [Decimal(rng.randint(1, 10**6)) / 10**4 for _ in range(60)]
    for number, quantity in enumerate(quantities):
        bought.item(resources[number % 10], float(quantity), price=price)
    assert sum(quantities) >= 400
    with scene.site() as site:
        bill(site, APRIL)
    wanted = [(price * quantity * percent / 100).quantize(Decimal("0.01"), ROUND_UP) for quantity in quantities]
    assert [-item.unit_price for item in bought.discounts()] == wanted
    prices = [(price * quantity).quantize(Decimal("0.01"), ROUND_UP) for quantity in quantities]
    total = scene.one(invoices.invoice, id=bought.invoice).total_price
    assert total == sum(prices) - sum(wanted)
