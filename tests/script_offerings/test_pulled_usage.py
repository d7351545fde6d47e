"""Usage that scripts report: what is taken, what it costs, and what follows from it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.scene import Scene
from tests.script_offerings.scenes import (
    always,
    job,
    pull,
    resource_named,
    say,
    script_offering,
    script_resource,
    usage,
)
from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.schema import billing, django, invoices, marketplace, policy, structure

OK, ERRED = ResourceState.OK, ResourceState.ERRED
MARCH = date(2025, 3, 1)


def amounts(scene: Scene) -> list[Decimal]:
    return [row.usage for row in scene.rows(marketplace.componentusage)]


def test_usage_is_kept_in_the_robot_s_name_and_shown_on_the_resource(scene: Scene) -> None:
    job(scene)
    pull(scene, lambda _: say(usages=[usage("12.5", description=" hours ", recurring=True)]))
    row = scene.one(marketplace.componentusage)
    assert (row.usage, row.billing_period, row.description, row.recurring) == (Decimal("12.50"), MARCH, "hours", True)
    assert row.modified_by_id is not None
    assert resource_named(scene).current_usages == {"cpu": "12.50"}


def test_a_second_report_of_the_month_replaces_the_first(scene: Scene) -> None:
    job(scene)
    pull(scene, lambda _: say(usages=[usage(2, recurring=True)]))
    pull(scene, lambda _: say(usages=[usage(5), usage(7)]))
    row, item = scene.one(marketplace.componentusage), scene.one(invoices.invoiceitem)
    assert (row.usage, row.recurring, item.quantity) == (7, False, 7)
    assert scene.one(invoices.invoice).total_price == Decimal("21.00")


def test_an_unchanged_report_leaves_an_edited_item_alone(scene: Scene) -> None:
    job(scene)
    pull(scene, lambda _: say(usages=[usage(2)]))
    item = invoices.invoiceitem
    with scene.engine.begin() as connection:
        connection.execute(item.update().values(quantity=1))
    pull(scene, lambda _: say(usages=[usage(2)]))
    assert scene.one(item).quantity == 1


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ([usage(1, "gpu")], "no usage of gpu"),
        ([usage("much")], "usages.0.amount is wrong"),
        ([usage(1.005)], "usages.0.amount is wrong"),
        ([usage("NaN")], "usages.0.amount is wrong"),
        ([usage(10**19)], "usages.0.amount is wrong"),
        ([usage(1, description="a\0b")], "usages.0.description is wrong"),
        ([{"type": "cpu"}], "usages.0.amount is wrong"),
        ({"cpu": 1}, "usages is wrong"),
        (None, "usages is wrong"),
    ],
)
def test_usages_that_cannot_be_taken_are_told_and_the_rest_is_kept(scene: Scene, given: Any, problem: str) -> None:
    job(scene)
    outcome = pull(scene, lambda _: say(usages=given, report=[{"header": "H", "body": "B"}]))
    (warning,) = outcome.warnings
    assert problem in warning.problem
    row = resource_named(scene)
    assert (row.state, row.report, amounts(scene)) == (OK, [{"header": "H", "body": "B"}], [])


@pytest.mark.parametrize(
    "report", [[], [{"header": "H"}], [{"header": " ", "body": "B"}], "fine", [{"header": "H", "body": "\0"}]]
)
def test_a_report_in_the_wrong_form_is_told_and_the_usage_is_kept(scene: Scene, report: Any) -> None:
    job(scene)
    outcome = pull(scene, lambda _: say(usages=[usage(1)], report=report))
    assert "its report cannot be taken" in outcome.warnings[0].problem
    assert (resource_named(scene).report, amounts(scene)) == (None, [1])


def test_usage_of_an_erred_resource_is_refused_but_it_is_ok_again(scene: Scene) -> None:
    job(scene, state=ERRED)
    outcome = pull(scene, lambda _: say(usages=[usage(1)]))
    assert "its usages were not taken: it is erred" in outcome.warnings[0].problem
    assert (resource_named(scene).state, amounts(scene)) == (OK, [])


def test_of_two_times_of_a_plan_the_one_that_holds_counts(scene: Scene) -> None:
    resource = job(scene)
    first = scene.one(marketplace.resourceplanperiod)
    with scene.engine.begin() as connection:
        connection.execute(marketplace.resourceplanperiod.update().values(end=datetime(2025, 2, 1, tzinfo=UTC)))
    second = scene.add(
        marketplace.resourceplanperiod,
        resource_id=resource,
        plan_id=first.plan_id,
        start=datetime(2025, 3, 5, tzinfo=UTC),
    )
    pull(scene, lambda _: say(usages=[usage(1)]))
    assert scene.one(marketplace.componentusage).plan_period_id == second
    item = scene.one(invoices.invoiceitem)
    assert item.start == datetime(2025, 3, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("end", "state"), [(None, ERRED), (datetime(2025, 2, 20, tzinfo=UTC), OK), (datetime(2025, 3, 2, tzinfo=UTC), OK)]
)
def test_usage_needs_a_time_of_the_plan_in_this_month(scene: Scene, end: datetime | None, state: ResourceState) -> None:
    """None at all makes the resource erred; usage of a plan that ended before the month is refused."""
    job(scene)
    periods = marketplace.resourceplanperiod
    with scene.engine.begin() as connection:
        connection.execute(periods.delete() if end is None else periods.update().values(end=end))
    pull(scene, lambda _: say(usages=[usage(1)]))
    assert resource_named(scene).state == state
    assert amounts(scene) == ([1] if end and end.month == 3 else [])


@pytest.mark.parametrize(
    ("limit_period", "before", "state"),
    [
        ("month", 6, OK),
        ("total", 5, OK),
        ("annual", 6, ERRED),
        ("total", 6, ERRED),
        pytest.param("quarterly", 5, OK, marks=pytest.mark.generation("8")),
        pytest.param("quarterly", 6, ERRED, marks=pytest.mark.generation("8")),
    ],
)
def test_usage_above_the_limit_of_a_component_makes_the_resource_erred(
    scene: Scene, limit_period: str, before: int, state: ResourceState
) -> None:
    offering, plan = script_offering(scene)
    limited = scene.component(offering, "gpu", "usage", limit_period=limit_period, limit_amount=10)
    resource = script_resource(scene, offering, plan)
    period = scene.one(marketplace.resourceplanperiod).id
    scene.add(
        marketplace.componentusage,
        resource_id=resource,
        component_id=limited,
        plan_period_id=period,
        billing_period=date(2025, 1, 1),
        usage=before,
    )
    for used in (4, 5) if state == OK else (5,):  # what is replaced does not count
        pull(scene, always(say(usages=[usage(3), usage(used, "gpu")])))
    row = resource_named(scene)
    assert row.state == state
    assert ("exceeds its limit of 10" in row.error_message) == (state == ERRED)
    kept = {(usage.billing_period.month, usage.usage) for usage in scene.rows(marketplace.componentusage)}
    assert (3, 3) in kept and ((3, 5) in kept) == (state == OK)


def test_the_first_usage_of_the_month_makes_the_invoice_with_all_that_is_billed_from_now_on(
    scene: Scene,
) -> None:
    offering, plan = script_offering(scene)
    resource = script_resource(scene, offering, plan)
    customer = scene.one(structure.customer, name="Customer of job").id
    basic = scene.offering(customer)
    daily = scene.plan(basic, unit="day")
    scene.price(daily, scene.component(basic, "seat"), 2)
    scene.price(daily, scene.component(basic, "ram", "limit", limit_period="month"), 1)
    project = scene.one(marketplace.resource, id=resource).project_id
    scene.resource(project, basic, daily, "desk", limits={"ram": 4})
    pull(scene, lambda _: say(usages=[usage(10)]))
    invoice = scene.one(invoices.invoice)
    items = {item.name.rpartition(" / ")[2]: item for item in scene.rows(invoices.invoiceitem)}
    assert {name: item.quantity for name, item in items.items()} == {"CPU": 10, "SEAT": 22, "RAM": 88}
    assert items["SEAT"].start == datetime(2025, 3, 10, 9, 30, tzinfo=UTC)
    (limits,) = items["RAM"].details["resource_limit_periods"]
    assert (limits["start"], limits["billing_periods"], limits["total"]) == ("2025-03-10T09:30:00+00:00", 22, "88")
    assert (invoice.customer_id, invoice.state, invoice.total_price) == (customer, "pending", Decimal("162.00"))
    assert {row.total for row in scene.rows(billing.priceestimate)} == {162.0}


def test_usage_that_no_invoice_can_hold_is_told_and_the_item_stays(scene: Scene) -> None:
    job(scene)
    pull(scene, lambda _: say(usages=[usage(2)]))
    outcome = pull(scene, lambda _: say(usages=[usage(10**17)]))
    (warning,) = outcome.warnings
    assert "too large for an invoice" in warning.problem
    assert (scene.one(invoices.invoiceitem).quantity, amounts(scene)) == (2, [10**17])


def test_recurring_usage_of_last_month_does_not_bill_a_report_twice(scene: Scene) -> None:
    resource = job(scene)
    scene.add(
        marketplace.componentusage,
        resource_id=resource,
        component_id=scene.one(marketplace.offeringcomponent).id,
        plan_period_id=scene.one(marketplace.resourceplanperiod).id,
        billing_period=date(2025, 2, 1),
        usage=99,
        recurring=True,
    )
    pull(scene, lambda _: say(usages=[usage(10)]))
    assert scene.one(invoices.invoiceitem).quantity == 10


def test_usage_of_a_component_without_a_price_makes_no_invoice(scene: Scene) -> None:
    offering, plan = script_offering(scene)
    scene.component(offering, "gpu", "usage")
    scene.component(offering, "ram", "limit")
    script_resource(scene, offering, plan)
    pull(scene, lambda _: say(usages=[usage(1, "gpu"), usage(1, "ram")]))
    assert (amounts(scene), scene.rows(invoices.invoice)) == ([1, 1], [])


def test_a_policy_on_costs_fires_on_reported_usage(scene: Scene) -> None:
    job(scene)
    project = resource_named(scene).project_id
    scene.add(policy.projectestimatedcostpolicy, scope_id=project, limit_cost=20, actions="request_pausing", period=2)
    assert scene.rows(django.content_type, model="project")
    pull(scene, lambda _: say(usages=[usage(5)]))
    assert not scene.one(policy.projectestimatedcostpolicy).has_fired
    pull(scene, lambda _: say(usages=[usage(10)]))
    assert scene.one(policy.projectestimatedcostpolicy).has_fired
    assert resource_named(scene).paused
