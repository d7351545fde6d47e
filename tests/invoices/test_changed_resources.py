"""Resources that end, or change plan or limits, within a month: their invoice has what that costs."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Integer, literal, select, update
from sqlalchemy.dialects.postgresql import JSONB

from tests.scene import Scene, bill
from waldur_dagster.marketplace.resource_states import change_resources
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import billing, invoices, logging, marketplace

MONTH, NOW = "2025-04-01T00:05:00+00:00", datetime(2025, 4, 10, 12, tzinfo=UTC)
ENTRY = "waldur-remote-pull-orders"


class Sold:
    """One resource with a fixed price of 30 a month and a limit of 4 at 10 each, billed for April 2025."""

    def __init__(self, scene: Scene, unit: str = "month", limit_period: str = "month"):
        self.scene = scene
        provider, customer = scene.customer("Provider"), scene.customer("Customer")
        offering = scene.offering(provider, billable=True)
        self.fixed = scene.component(offering, "node", "fixed")
        self.limit = scene.component(offering, "cpu", "limit", limit_period=limit_period)
        self.plans = [scene.plan(offering, name, unit) for name in ("Old", "New")]
        for plan, fixed, cpu in ((self.plans[0], 30, 10), (self.plans[1], 60, 20)):
            scene.price(plan, self.fixed, fixed)
            scene.price(plan, self.limit, cpu)
        few = scene.component(offering, "setup", "few")
        scene.price(self.plans[1], few, 5, amount=1)
        self.resource = scene.resource(
            scene.project(customer),
            offering,
            self.plans[0],
            limits={"cpu": 4},
            created=datetime(2025, 1, 5, tzinfo=UTC),
        )
        self.customer = customer

    def bill(self) -> None:
        with self.scene.site() as site:
            bill(site, MONTH)

    def change(self, now: datetime = NOW, **values: Any) -> Outcome:
        new = (literal(value, marketplace.resource.c[name].type).label(name) for name, value in values.items())
        chosen = select(literal(self.resource, Integer).label("resource_id"), *new).subquery("chosen")
        with self.scene.site() as site, site.work(ENTRY, now) as work:
            change_resources(work, chosen)
        return site.outcome

    def items(self) -> list[tuple[Any, ...]]:
        rows = self.scene.rows(invoices.invoiceitem, resource_id=self.resource)
        return [
            (row.details["offering_component_type"], row.quantity, row.unit_price, row.start, row.end) for row in rows
        ]

    @property
    def of_limit(self) -> list[Decimal]:
        return [quantity for name, quantity, *_ in self.items() if name == "cpu"]

    @property
    def total(self) -> Decimal:
        return self.scene.one(invoices.invoice, customer_id=self.customer).total_price


START, END = datetime(2025, 4, 1, tzinfo=UTC), datetime(2025, 4, 30, 23, 59, 59, 999999, tzinfo=UTC)


@pytest.mark.generation("8")
def test_a_resource_that_ends_costs_what_it_was_there_for(scene: Scene) -> None:
    sold = Sold(scene)
    sold.bill()
    assert sold.total == 70
    sold.change(state=6)
    assert sorted(sold.items()) == [
        ("cpu", Decimal(4), Decimal(10), START, NOW),
        ("node", Decimal("0.34"), Decimal(30), START, NOW),
    ]
    assert sold.total == Decimal("50.20")
    assert {row.total for row in scene.rows(billing.priceestimate)} >= {50.20}
    told = [row.message.partition(" Details: ")[2] for row in scene.rows(logging.event) if "updated" in row.event_type]
    ends = "end: 2025-04-30T23:59:59.999999+00:00 -> 2025-04-10T12:00:00+00:00."
    assert sorted(told) == [ends, f"quantity: 1.0000000000 -> 0.3400000000, {ends}"]


@pytest.mark.generation("8")
def test_by_days_a_limit_that_ends_costs_its_days(scene: Scene) -> None:
    sold = Sold(scene, unit="day")
    sold.bill()
    sold.change(state=6)
    quantities = {name: quantity for name, quantity, *_ in sold.items()}
    assert quantities == {"node": 10, "cpu": 40}


@pytest.mark.generation("8")
def test_another_plan_ends_the_items_of_the_old_one_and_begins_its_own(scene: Scene) -> None:
    sold = Sold(scene)
    sold.bill()
    sold.change(plan_id=sold.plans[1])
    old, new = [row for row in sold.items() if row[4] == NOW], [row for row in sold.items() if row[3] == NOW]
    assert {(name, quantity, price) for name, quantity, price, *_ in old} == {
        ("node", Decimal("0.34"), Decimal(30)),
        ("cpu", Decimal(4), Decimal(10)),
    }
    assert {(name, quantity, price) for name, quantity, price, *_ in new} == {
        ("node", Decimal("0.70"), Decimal(60)),
        ("cpu", Decimal(4), Decimal(20)),
        ("setup", Decimal(1), Decimal(5)),
    }
    assert {row[4] for row in new} == {END}


@pytest.mark.generation("8")
@pytest.mark.parametrize(("unit", "quantity"), [("month", Decimal("2.80")), ("day", 4 * 10 + 4 * 11)])
def test_the_limit_of_a_plan_that_comes_back_goes_on_in_its_item(scene: Scene, unit: str, quantity: Decimal) -> None:
    sold = Sold(scene, unit)
    sold.bill()
    sold.change(plan_id=sold.plans[1])
    sold.change(datetime(2025, 4, 20, 12, tzinfo=UTC), plan_id=sold.plans[0])
    cpu = sorted(row[2:] + row[1:2] for row in sold.items() if row[0] == "cpu")
    assert cpu[0] == (Decimal(10), START, END, quantity)
    assert [row[:3] for row in cpu[1:]] == [(Decimal(20), NOW, datetime(2025, 4, 20, 12, tzinfo=UTC))]
    item = scene.one(invoices.invoiceitem, unit_price=10)
    assert [one["billing_periods"] for one in item.details["resource_limit_periods"]] == [10, 11]
    assert sold.total == sum(row[1] * row[2] for row in sold.items())


def test_up_to_2024_a_plan_that_comes_back_has_items_of_its_own(scene: Scene) -> None:
    sold = Sold(scene)
    sold.bill()
    sold.change(plan_id=sold.plans[1])
    sold.change(datetime(2025, 4, 20, 12, tzinfo=UTC), plan_id=sold.plans[0])
    assert [row[3].day for row in sold.items() if row[0] == "cpu" and row[2] == 10] == [1, 20]


@pytest.mark.generation("8")
def test_what_a_limit_adds_to_the_volume_of_a_discount_changes_with_it(scene: Scene) -> None:
    sold = Sold(scene, "day")
    sold.bill()
    sold.change(datetime(2025, 4, 16, 12, tzinfo=UTC), limits={"cpu": 8})
    (item,) = [row for row in scene.rows(invoices.invoiceitem) if row.details["offering_component_type"] == "cpu"]
    assert item.details["discount_usage"] == 6 and item.quantity == 4 * 15 + 8 * 15


@pytest.mark.generation("8")
def test_a_higher_limit_counts_from_today_and_a_lower_one_from_tomorrow(scene: Scene) -> None:
    sold = Sold(scene, unit="day")
    sold.bill()
    sold.change(limits={"cpu": 8})
    assert {row[1] for row in sold.items() if row[0] == "cpu"} == {4 * 9 + 8 * 21}
    sold.change(datetime(2025, 4, 20, 12, tzinfo=UTC), limits={"cpu": 2})
    assert {row[1] for row in sold.items() if row[0] == "cpu"} == {4 * 9 + 8 * 11 + 2 * 10}
    (item,) = [row for row in scene.rows(invoices.invoiceitem) if row.details["offering_component_type"] == "cpu"]
    periods = item.details["resource_limit_periods"]
    assert [(one["quantity"], one["billing_periods"], one["total"]) for one in periods] == [
        (4, 9, "36"),
        (8, 11, "88"),
        (2, 10, "20"),
    ]


@pytest.mark.generation("8")
def test_by_months_limits_count_by_their_days(scene: Scene) -> None:
    sold = Sold(scene)
    sold.bill()
    sold.change(datetime(2025, 4, 16, 12, tzinfo=UTC), limits={"cpu": 8})
    assert {row[1] for row in sold.items() if row[0] == "cpu"} == {6}


@pytest.mark.generation("8")
def test_a_limit_on_the_whole_life_has_items_for_the_differences(scene: Scene) -> None:
    sold = Sold(scene, limit_period="total")
    sold.bill()
    sold.change(limits={"cpu": 7})
    sold.change(limits={"cpu": 5})
    made = [(quantity, price) for name, quantity, price, *_ in sold.items() if name == "cpu"]
    assert made == [(3, 10), (2, -10)]


@pytest.mark.generation("8")
def test_a_month_without_an_invoice_gets_one_for_a_change_and_none_for_an_end(scene: Scene) -> None:
    sold = Sold(scene)
    sold.change(state=6)
    assert scene.rows(invoices.invoice) == []
    sold.change(state=2)
    sold.change(plan_id=sold.plans[1])
    assert {(name, quantity, price) for name, quantity, price, *_ in sold.items()} == {
        ("node", Decimal("0.70"), Decimal(60)),
        ("cpu", Decimal(4), Decimal(20)),
    }


@pytest.mark.generation("8")
def test_a_closed_invoice_is_left_alone(scene: Scene) -> None:
    sold = Sold(scene)
    sold.bill()
    before = sold.items()
    invoice = scene.one(invoices.invoice, customer_id=sold.customer).id
    whole = scene.whole(invoices.invoice)
    with scene.engine.begin() as connection:
        connection.execute(whole.update().where(whole.c.id == invoice).values(state="created"))
    sold.change(limits={"cpu": 9})
    sold.change(state=6)
    assert sold.items() == before


def test_up_to_2024_limits_are_summed_by_days_whatever_the_unit(scene: Scene) -> None:
    sold = Sold(scene)
    sold.bill()
    sold.change(limits={"cpu": 8})
    assert {row[1] for row in sold.items() if row[0] == "cpu"} == {4 * 9 + 8 * 21}


@pytest.mark.generation("8")
@pytest.mark.parametrize("periods", ["x", [1], [{"start": "soon"}], [{"start": "2025-04-01", "end": None}]])
def test_an_item_whose_periods_cannot_be_read_ends_as_it_is_and_is_told(scene: Scene, periods: Any) -> None:
    sold = Sold(scene)
    sold.bill()
    with scene.engine.begin() as connection:
        details = invoices.invoiceitem.c.details
        broken = details.op("||")(literal({"resource_limit_periods": periods}, JSONB))
        limits = details["resource_limit_periods"].is_not(None)
        connection.execute(update(invoices.invoiceitem).values(details=broken).where(limits))
    told = sold.change(state=6)
    assert len(told.warnings) == 1
    assert {end for *_, end in sold.items()} == {NOW}


@pytest.mark.generation("8")
@pytest.mark.parametrize("period", ["quarterly", "annual"])
@pytest.mark.parametrize(
    ("change", "is_told"),
    [({"limits": {"cpu": 8}}, True), ({"plan_id": 1}, True), ({"limits": {"cpu": 4, "x": 1}}, False)],
)
def test_what_an_older_invoice_has_billed_ahead_stays_and_is_told(
    scene: Scene, period: str, change: dict[str, Any], is_told: bool
) -> None:
    sold = Sold(scene, limit_period=period)
    with scene.engine.begin() as connection:  # its years begin in April, as its quarters do
        connection.execute(update(marketplace.resource).values(created=datetime(2024, 4, 1, tzinfo=UTC)))
    sold.bill()
    before = [row for row in sold.items() if row[0] == "cpu"]
    assert len(before) == 1
    outcome = sold.change(
        datetime(2025, 5, 10, tzinfo=UTC),
        **{name: sold.plans[value] if name == "plan_id" else value for name, value in change.items()},
    )
    assert [row for row in sold.items() if row[0] == "cpu"] == before
    told = [warning for warning in outcome.warnings if "billed ahead by the invoice of 2025-04" in warning.problem]
    assert [warning.item for warning in told] == ["organization Customer"] * is_told


@pytest.mark.parametrize("unit", ["month", "day"])
@pytest.mark.parametrize("limit", ["many", None, [], True])
@pytest.mark.generation("8")
def test_a_limit_that_is_no_number_is_none_from_tomorrow_on(scene: Scene, unit: str, limit: Any) -> None:
    sold = Sold(scene, unit)
    sold.bill()
    sold.change(limits={"cpu": limit})
    assert sold.of_limit == [(40 if unit == "day" else Decimal("1.34"))]


@pytest.mark.parametrize("limit", [10**14, 10**15, 10**40, 1e300])
@pytest.mark.parametrize("unit", ["month", "day"])
@pytest.mark.generation("8")
def test_a_limit_that_no_invoice_can_hold_leaves_its_item_and_is_told(scene: Scene, unit: str, limit: float) -> None:
    sold = Sold(scene, unit)
    sold.bill()
    before = sold.items()
    outcome = sold.change(limits={"cpu": limit})
    assert sold.items() == before
    assert ["too large for an invoice" in warning.problem for warning in outcome.warnings] == [True]
