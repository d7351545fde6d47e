"""Usage on newer sites: an item for each plan, overage, and what carries over (spec newer_billing 1.8)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Boolean, Integer, Numeric, Select, Text, cast, literal, null, select, update

from tests.scene import Scene, bill
from tests.statements import counted
from waldur_dagster.billing.usage_reports import report_usage
from waldur_dagster.outcome import Outcome
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.schema import invoices, logging, marketplace

pytestmark = pytest.mark.generation("8")
NOW = datetime(2025, 4, 10, 12, tzinfo=UTC)
APRIL = "2025-04-01T00:00:00+00:00"
MARCH, THIS_MONTH = date(2025, 3, 1), date(2025, 4, 1)


class Metered:
    """A resource whose usage of a component costs 3 a unit in one plan, and 4 in another."""

    def __init__(self, scene: Scene, *, billing_type: str = "usage", **more: Any):
        self.scene = scene
        self.customer = scene.customer()
        self.offering = scene.offering(self.customer, "Cloud", **more.pop("offering", {}))
        self.plan = scene.plan(self.offering, "Small", **more.pop("plan", {}))
        sold = {"type": "cpu", "billing_type": billing_type, "name": "Cores"} | more.pop("component", {})
        self.component = scene.component(self.offering, **sold)
        self.price = scene.price(self.plan, self.component, 3)
        self.project = scene.project(self.customer)
        facts = {"created": datetime(2025, 1, 15, tzinfo=UTC)} | more
        self.resource = scene.resource(self.project, self.offering, self.plan, "vm", **facts)

    def other_plan(self) -> int:
        plan = self.scene.plan(self.offering, "Large")
        self.scene.price(plan, self.component, 4)
        return plan

    def time(self, start: str = "2025-01-15", end: str | None = None, plan: int | None = None) -> int:
        began, ended = (day and datetime.fromisoformat(f"{day}T00:00:00+00:00") for day in (start, end))
        facts = {"resource_id": self.resource, "plan_id": plan or self.plan}
        return self.scene.add(marketplace.resourceplanperiod, **facts, start=began, end=ended)

    def reported(self, amount: float, time: int | None, month: date = MARCH, **values: Any) -> int:
        facts = {"date": datetime(month.year, month.month, 5, tzinfo=UTC), "missing_usage_policy": "none"} | values
        whose = {"resource_id": self.resource, "component_id": self.component, "plan_period_id": time}
        return self.scene.add(marketplace.componentusage, usage=amount, billing_period=month, **whose, **facts)

    def report(self, amount: float, time: int) -> Outcome:
        """What a script or an agent says on 10 April."""
        with self.scene.site() as site, site.work("reporting", NOW) as work:
            report_usage(work, _reports([(self, amount, time)]))
        return site.outcome

    def items(self) -> list[tuple[str, Decimal, Decimal]]:
        return [(item.name, item.quantity, item.unit_price) for item in self.scene.rows(invoices.invoiceitem)]


def _reports(said: list[tuple[Metered, float, int]]) -> Select[Any]:
    rows = [
        {"resource_id": m.resource, "component_id": m.component, "plan_period_id": time, "usage": amount}
        for m, amount, time in said
    ]
    given = given_rows(rows, resource_id=Integer, component_id=Integer, plan_period_id=Integer, usage=Numeric)
    return select(
        *given.c,
        literal("", Text).label("description"),
        literal(False, Boolean).label("recurring"),
        cast(null(), Integer).label("modified_by_id"),
    )


def test_a_report_makes_an_item_of_its_plan_and_later_ones_change_it(scene: Scene) -> None:
    metered = Metered(scene)
    time = metered.time()
    metered.report(7, time)
    item = scene.one(invoices.invoiceitem)
    name = "vm (Cloud / Small) / Cores"
    assert (item.name, item.quantity, item.unit_price, item.plan_component_id) == (name, 7, 3, metered.price)
    uuid = scene.one(marketplace.resourceplanperiod).uuid.hex
    assert (item.details["plan_period_uuid"], item.details["discount_usage"]) == (uuid, 7)
    metered.report(9, time)
    item = scene.one(invoices.invoiceitem)
    assert (item.quantity, item.details["discount_usage"]) == (9, 9)
    messages = [event.message for event in scene.rows(logging.event)]
    assert messages[0] == f"Invoice item {name} has been created."
    assert messages[1].startswith(f"Invoice item {name} has been updated. Details: quantity: 7")
    assert scene.one(invoices.invoice).total_price == 27


def test_each_plan_of_a_month_has_an_item_at_its_own_price(scene: Scene) -> None:
    metered = Metered(scene)
    old = metered.time(end="2025-04-05")
    new = metered.time("2025-04-05", plan=metered.other_plan())
    metered.report(7, old)
    metered.report(2, new)
    metered.report(8, old)
    assert metered.items() == [("vm (Cloud / Small) / Cores", 8, 3), ("vm (Cloud / Large) / Cores", 2, 4)]
    first, second = scene.rows(invoices.invoiceitem)
    assert first.end == second.start == datetime(2025, 4, 5, tzinfo=UTC)


def test_an_item_of_older_versions_is_taken_over_and_items_of_limits_and_compensations_are_not(
    scene: Scene,
) -> None:
    metered = Metered(scene)
    time = metered.time()
    invoice = scene.invoice(metered.customer, 2025, 4)
    of_component = {"offering_component_type": "cpu"}
    for price, periods in ((5, {"resource_limit_periods": "those"}), (-5, {}), (3, {})):
        scene.item(invoice, price, resource_id=metered.resource, details={**of_component, **periods})
    metered.report(7, time)
    assert [quantity for _, quantity, _ in metered.items()] == [1, 1, 7]


def test_an_item_that_says_less_than_its_report_is_completed_and_only_quantities_are_told(scene: Scene) -> None:
    metered = Metered(scene)
    time = metered.time()
    invoice = scene.invoice(metered.customer, 2025, 4)
    scene.item(invoice, 3, quantity=7, resource_id=metered.resource, details={"offering_component_type": "cpu"})
    metered.report(7, time)
    item = scene.one(invoices.invoiceitem)
    uuid = scene.one(marketplace.resourceplanperiod).uuid.hex
    assert (item.quantity, item.details["plan_period_uuid"], item.details["discount_usage"]) == (7, uuid, 7)
    assert scene.rows(logging.event, event_type="invoice_item_updated") == []


def test_later_reports_change_what_counts_for_volume_also_where_plans_have_no_modes(scene: Scene) -> None:
    metered = Metered(scene)
    with scene.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE marketplace_plan DROP COLUMN billing_mode CASCADE")
    time = metered.time()
    metered.report(5, time)
    metered.report(50, time)
    item = scene.one(invoices.invoiceitem)
    assert (item.quantity, item.details["discount_usage"]) == (50, 50)
    assert "plan_period_uuid" not in item.details


def test_usage_that_the_plan_does_not_sell_is_billed_at_nothing(scene: Scene) -> None:
    metered = Metered(scene)
    time = metered.time(plan=scene.plan(metered.offering, "Empty"))
    for amount in (7, 8):
        metered.report(amount, time)
        item = scene.one(invoices.invoiceitem)
        assert (item.quantity, item.unit_price, item.plan_component_id) == (amount, 0, None)
        assert "discount_usage" not in item.details


def test_an_invoice_that_waits_takes_usage_and_a_closed_one_does_not(scene: Scene) -> None:
    waiting, closed = Metered(scene), Metered(scene)
    scene.invoice(waiting.customer, 2025, 4, "pending_finalization")
    scene.invoice(closed.customer, 2025, 4, "created")
    assert waiting.report(7, waiting.time()).warnings == []
    (warning,) = closed.report(8, closed.time()).warnings
    assert "closed" in warning.problem
    assert [quantity for _, quantity, _ in waiting.items()] == [7]


@pytest.mark.parametrize(
    ("mode", "governed", "unit"),
    [("usage", True, "core-hours"), ("inherit", True, None), ("usage", False, None)],
)
def test_a_plan_may_bill_by_usage_what_its_offering_sells_by_limit(
    scene: Scene, mode: str, governed: bool, unit: str | None
) -> None:
    metered = Metered(
        scene,
        billing_type="limit",
        offering={"type": "OpenStack.Tenant"},
        plan={"billing_mode": mode},
        component={"type": "cores", "billed_per_plan": governed},
    )
    metered.report(7.125, metered.time())
    items = scene.rows(invoices.invoiceitem)
    assert [(item.measured_unit, item.quantity) for item in items] == ([(unit, Decimal("7.12"))] if unit else [])


def test_a_plan_may_bill_by_limit_what_its_offering_sells_by_usage(scene: Scene) -> None:
    metered = Metered(
        scene,
        offering={"type": "OpenStack.Tenant"},
        plan={"billing_mode": "limit"},
        component={"billed_per_plan": True, "limit_period": "annual"},
        limits={"cpu": 4},
    )
    with scene.site() as site:
        bill(site, APRIL)
    item = scene.one(invoices.invoiceitem)
    assert (item.quantity, item.measured_unit, item.end.month) == (4, "GB", 4)
    metered.report(7, metered.time())
    assert len(metered.items()) == 1


def _prepaid(scene: Scene, *, limit: Any = 100, period: str = "quarterly", overage: bool = True) -> Metered:
    component = {"is_prepaid": True, "limit_period": period}
    metered = Metered(scene, billing_type="one", component=component, limits={"cpu": limit})
    if overage:
        extra = scene.component(metered.offering, "extra", "usage", name="Extra cores")
        scene.price(metered.plan, extra, 5)
        sold = marketplace.offeringcomponent
        with scene.engine.begin() as connection:
            chosen = update(sold).where(sold.c.id == metered.component)
            connection.execute(chosen.values(overage_component_id=extra))
    return metered


def test_usage_beyond_what_is_prepaid_is_billed_as_overage(scene: Scene) -> None:
    metered = _prepaid(scene)
    time = metered.time()
    metered.reported(90, time, MARCH, date=datetime(2025, 3, 5, tzinfo=UTC))
    metered.reported(500, time, date(2025, 1, 1), date=datetime(2025, 1, 14, tzinfo=UTC))
    metered.report(25, time)
    assert scene.one(invoices.invoiceitem).quantity == 15
    item = scene.one(invoices.invoiceitem)
    assert (item.name, item.unit_price) == ("vm (Cloud / Small) / Extra cores (Overage)", 5)
    assert (item.details["is_overage"], item.details["discount_usage"]) == (True, 15)
    metered.report(5, time)  # a correction: nothing is beyond any more
    assert [quantity for _, quantity, _ in metered.items()] == [0]


@pytest.mark.parametrize(("period", "balance_of"), [("month", 100), ("quarterly", 10), ("annual", 10), ("total", 10)])
def test_what_is_prepaid_lasts_from_the_day_on_which_the_resource_was_made(
    scene: Scene, period: str, balance_of: int
) -> None:
    metered = _prepaid(scene, period=period)
    time = metered.time()
    metered.reported(90, time, date=datetime(2025, 2, 20, tzinfo=UTC))  # the month of 15 March holds 10 April
    metered.report(120, time)
    assert [quantity for _, quantity, _ in metered.items()] == [120 - balance_of]


def test_what_is_prepaid_without_bound_or_not_exceeded_is_not_billed(scene: Scene) -> None:
    unlimited, enough = _prepaid(scene, limit=-1), _prepaid(scene, limit=100)
    for metered in (unlimited, enough):
        assert metered.report(99.9, metered.time()).warnings == []
    assert scene.rows(invoices.invoiceitem) == []


@pytest.mark.parametrize(("limit", "overage"), [("many", True), (10, False)])
def test_overage_that_cannot_be_billed_is_told(scene: Scene, limit: Any, overage: bool) -> None:
    metered = _prepaid(scene, limit=limit, overage=overage)
    (warning,) = metered.report(25, metered.time()).warnings
    assert "vm" in warning.item and "cpu" in warning.problem
    assert scene.rows(invoices.invoiceitem) == []


def test_usage_carries_over_as_its_report_says(scene: Scene) -> None:
    again, nothing, silent = (Metered(scene) for _ in range(3))
    for metered, policy in ((again, "reuse"), (nothing, "zero"), (silent, "none")):
        metered.reported(7, metered.time(), missing_usage_policy=policy)
    with scene.site() as site:
        bill(site, APRIL)
    assert [quantity for _, quantity, _ in again.items()] == [7, 0]
    made = scene.rows(marketplace.componentusage, billing_period=THIS_MONTH)
    assert [(row.usage, row.missing_usage_policy) for row in made] == [(7, "reuse"), (0, "zero")]


def test_carried_usage_belongs_to_the_plan_of_now(scene: Scene) -> None:
    metered = Metered(scene)
    old = metered.time(end="2025-03-20")
    new = metered.time("2025-03-20", plan=metered.other_plan())
    metered.reported(7, old, missing_usage_policy="reuse")
    with scene.site() as site:
        bill(site, APRIL)
    assert metered.items() == [("vm (Cloud / Large) / Cores", 7, 4)]
    assert scene.one(marketplace.componentusage, billing_period=THIS_MONTH).plan_period_id == new


def test_carried_usage_of_a_plan_that_ended_is_billed_for_the_month(scene: Scene) -> None:
    metered = Metered(scene)
    metered.reported(7, metered.time(end="2025-03-20"), missing_usage_policy="reuse")
    with scene.site() as site:
        bill(site, APRIL)
    item = scene.one(invoices.invoiceitem)
    assert (item.quantity, item.start, item.end.date()) == (7, datetime(2025, 4, 1, tzinfo=UTC), date(2025, 4, 30))


def test_a_resource_in_use_without_any_time_of_its_plan_gets_one(scene: Scene) -> None:
    metered = Metered(scene)
    metered.reported(7, None, missing_usage_policy="reuse")
    with scene.site() as site:
        bill(site, APRIL)
    time = scene.one(marketplace.resourceplanperiod)
    assert (time.plan_id, time.start, time.end) == (metered.plan, datetime(2025, 1, 15, tzinfo=UTC), None)
    assert [quantity for _, quantity, _ in metered.items()] == [7]


def test_usage_that_was_reported_before_its_invoice_is_billed_with_it(scene: Scene) -> None:
    metered = Metered(scene)
    time = metered.time()
    metered.reported(7, time, missing_usage_policy="reuse")
    metered.reported(9, time, THIS_MONTH)
    with scene.site() as site:
        bill(site, APRIL)
    assert [quantity for _, quantity, _ in metered.items()] == [9]


def test_more_reports_take_no_more_statements(scene: Scene) -> None:
    seen = []
    for number in (1, 10):
        said = [(metered, 3.0, metered.time()) for metered in (Metered(scene) for _ in range(number))]
        with scene.site() as site, site.work("reporting", NOW) as work, counted(work.connection) as statements:
            report_usage(work, _reports(said))
            seen.append(len(statements))
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    "lacking",
    [
        "marketplace_plan.billing_mode",
        "marketplace_plancomponent.discount_formula",
        "marketplace_offeringcomponent.is_prepaid",
        "marketplace_offeringcomponent.limit_decimal_places",
        "invoices_invoiceitem.plan_component_id",
    ],
)
def test_each_rule_is_asked_for_by_itself(scene: Scene, lacking: str) -> None:
    """Sites in between lack one of the columns, and bill by the rules of the others."""
    metered = Metered(scene)
    scene.price(metered.plan, scene.component(metered.offering, "seats", "limit"), 10)
    table, _, column = lacking.partition(".")
    with scene.engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {column} CASCADE")
        limits = update(marketplace.resource).values(limits={"seats": 2})
        connection.execute(limits)
    time = metered.time()
    with scene.site() as site:
        assert bill(site, APRIL).failures == []
    assert metered.report(7, time).failures == []
    with scene.engine.connect() as connection:
        quantities = connection.exec_driver_sql("SELECT quantity FROM invoices_invoiceitem ORDER BY id").scalars()
        assert list(quantities) == [2, 7]
