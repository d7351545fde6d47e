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


def test_usage_is_kept_in_the_robot_s_name_and_shown_on_the_resource(outbox_scene: Scene) -> None:
    job(outbox_scene)
    pull(outbox_scene, lambda _: say(usages=[usage("12.5", description=" hours ", recurring=True)]))
    row = outbox_scene.one(marketplace.componentusage)
    assert (row.usage, row.billing_period, row.description, row.recurring) == (Decimal("12.50"), MARCH, "hours", True)
    assert row.modified_by_id is not None
    assert resource_named(outbox_scene).current_usages == {"cpu": "12.50"}


def test_a_second_report_of_the_month_replaces_the_first(outbox_scene: Scene) -> None:
    job(outbox_scene)
    pull(outbox_scene, lambda _: say(usages=[usage(2, recurring=True)]))
    pull(outbox_scene, lambda _: say(usages=[usage(5), usage(7)]))
    row, item = outbox_scene.one(marketplace.componentusage), outbox_scene.one(invoices.invoiceitem)
    assert (row.usage, row.recurring, item.quantity) == (7, False, 7)
    assert outbox_scene.one(invoices.invoice).total_price == Decimal("21.00")


def test_an_unchanged_report_leaves_an_edited_item_alone(outbox_scene: Scene) -> None:
    job(outbox_scene)
    pull(outbox_scene, lambda _: say(usages=[usage(2)]))
    item = invoices.invoiceitem
    with outbox_scene.engine.begin() as connection:
        connection.execute(item.update().values(quantity=1))
    pull(outbox_scene, lambda _: say(usages=[usage(2)]))
    assert outbox_scene.one(item).quantity == 1


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
def test_usages_that_cannot_be_taken_are_told_and_the_rest_is_kept(
    outbox_scene: Scene, given: Any, problem: str
) -> None:
    job(outbox_scene)
    outcome = pull(outbox_scene, lambda _: say(usages=given, report=[{"header": "H", "body": "B"}]))
    (warning,) = outcome.warnings
    assert problem in warning.problem
    row = resource_named(outbox_scene)
    assert (row.state, row.report, amounts(outbox_scene)) == (OK, [{"header": "H", "body": "B"}], [])


@pytest.mark.parametrize(
    "report", [[], [{"header": "H"}], [{"header": " ", "body": "B"}], "fine", [{"header": "H", "body": "\0"}]]
)
def test_a_report_in_the_wrong_form_is_told_and_the_usage_is_kept(outbox_scene: Scene, report: Any) -> None:
    job(outbox_scene)
    outcome = pull(outbox_scene, lambda _: say(usages=[usage(1)], report=report))
    assert "its report cannot be taken" in outcome.warnings[0].problem
    assert (resource_named(outbox_scene).report, amounts(outbox_scene)) == (None, [1])


def test_usage_of_an_erred_resource_is_refused_but_it_is_ok_again(outbox_scene: Scene) -> None:
    job(outbox_scene, state=ERRED)
    outcome = pull(outbox_scene, lambda _: say(usages=[usage(1)]))
    assert "its usages were not taken: it is erred" in outcome.warnings[0].problem
    assert (resource_named(outbox_scene).state, amounts(outbox_scene)) == (OK, [])


def test_of_two_times_of_a_plan_the_one_that_holds_counts(outbox_scene: Scene) -> None:
    resource = job(outbox_scene)
    first = outbox_scene.one(marketplace.resourceplanperiod)
    with outbox_scene.engine.begin() as connection:
        connection.execute(marketplace.resourceplanperiod.update().values(end=datetime(2025, 2, 1, tzinfo=UTC)))
    second = outbox_scene.add(
        marketplace.resourceplanperiod,
        resource_id=resource,
        plan_id=first.plan_id,
        start=datetime(2025, 3, 5, tzinfo=UTC),
    )
    pull(outbox_scene, lambda _: say(usages=[usage(1)]))
    assert outbox_scene.one(marketplace.componentusage).plan_period_id == second
    item = outbox_scene.one(invoices.invoiceitem)
    assert item.start == datetime(2025, 3, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("end", "state"), [(None, ERRED), (datetime(2025, 2, 20, tzinfo=UTC), OK), (datetime(2025, 3, 2, tzinfo=UTC), OK)]
)
def test_usage_needs_a_time_of_the_plan_in_this_month(
    outbox_scene: Scene, end: datetime | None, state: ResourceState
) -> None:
    """None at all makes the resource erred; usage of a plan that ended before the month is refused."""
    job(outbox_scene)
    periods = marketplace.resourceplanperiod
    with outbox_scene.engine.begin() as connection:
        connection.execute(periods.delete() if end is None else periods.update().values(end=end))
    pull(outbox_scene, lambda _: say(usages=[usage(1)]))
    assert resource_named(outbox_scene).state == state
    assert amounts(outbox_scene) == ([1] if end and end.month == 3 else [])


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
    outbox_scene: Scene, limit_period: str, before: int, state: ResourceState
) -> None:
    offering, plan = script_offering(outbox_scene)
    limited = outbox_scene.component(offering, "gpu", "usage", limit_period=limit_period, limit_amount=10)
    resource = script_resource(outbox_scene, offering, plan)
    period = outbox_scene.one(marketplace.resourceplanperiod).id
    outbox_scene.add(
        marketplace.componentusage,
        resource_id=resource,
        component_id=limited,
        plan_period_id=period,
        billing_period=date(2025, 1, 1),
        usage=before,
    )
    for used in (4, 5) if state == OK else (5,):  # what is replaced does not count
        pull(outbox_scene, always(say(usages=[usage(3), usage(used, "gpu")])))
    row = resource_named(outbox_scene)
    assert row.state == state
    assert ("exceeds its limit of 10" in row.error_message) == (state == ERRED)
    kept = {(usage.billing_period.month, usage.usage) for usage in outbox_scene.rows(marketplace.componentusage)}
    assert (3, 3) in kept and ((3, 5) in kept) == (state == OK)


def test_the_first_usage_of_the_month_makes_the_invoice_with_all_that_is_billed_from_now_on(
    outbox_scene: Scene,
) -> None:
    offering, plan = script_offering(outbox_scene)
    resource = script_resource(outbox_scene, offering, plan)
    customer = outbox_scene.one(structure.customer, name="Customer of job").id
    basic = outbox_scene.offering(customer)
    daily = outbox_scene.plan(basic, unit="day")
    outbox_scene.price(daily, outbox_scene.component(basic, "seat"), 2)
    outbox_scene.price(daily, outbox_scene.component(basic, "ram", "limit", limit_period="month"), 1)
    project = outbox_scene.one(marketplace.resource, id=resource).project_id
    outbox_scene.resource(project, basic, daily, "desk", limits={"ram": 4})
    pull(outbox_scene, lambda _: say(usages=[usage(10)]))
    invoice = outbox_scene.one(invoices.invoice)
    items = {item.name.rpartition(" / ")[2]: item for item in outbox_scene.rows(invoices.invoiceitem)}
    assert {name: item.quantity for name, item in items.items()} == {"CPU": 10, "SEAT": 22, "RAM": 88}
    assert items["SEAT"].start == datetime(2025, 3, 10, 9, 30, tzinfo=UTC)
    (limits,) = items["RAM"].details["resource_limit_periods"]
    assert (limits["start"], limits["billing_periods"], limits["total"]) == ("2025-03-10T09:30:00+00:00", 22, "88")
    assert (invoice.customer_id, invoice.state, invoice.total_price) == (customer, "pending", Decimal("162.00"))
    assert {row.total for row in outbox_scene.rows(billing.priceestimate)} == {162.0}


def test_usage_that_no_invoice_can_hold_is_told_and_the_item_stays(outbox_scene: Scene) -> None:
    job(outbox_scene)
    pull(outbox_scene, lambda _: say(usages=[usage(2)]))
    outcome = pull(outbox_scene, lambda _: say(usages=[usage(10**17)]))
    (warning,) = outcome.warnings
    assert "too large for an invoice" in warning.problem
    assert (outbox_scene.one(invoices.invoiceitem).quantity, amounts(outbox_scene)) == (2, [10**17])


def test_recurring_usage_of_last_month_does_not_bill_a_report_twice(outbox_scene: Scene) -> None:
    resource = job(outbox_scene)
    outbox_scene.add(
        marketplace.componentusage,
        resource_id=resource,
        component_id=outbox_scene.one(marketplace.offeringcomponent).id,
        plan_period_id=outbox_scene.one(marketplace.resourceplanperiod).id,
        billing_period=date(2025, 2, 1),
        usage=99,
        recurring=True,
    )
    pull(outbox_scene, lambda _: say(usages=[usage(10)]))
    assert outbox_scene.one(invoices.invoiceitem).quantity == 10


def test_usage_of_a_component_without_a_price_makes_no_invoice(outbox_scene: Scene) -> None:
    offering, plan = script_offering(outbox_scene)
    outbox_scene.component(offering, "gpu", "usage")
    outbox_scene.component(offering, "ram", "limit")
    script_resource(outbox_scene, offering, plan)
    pull(outbox_scene, lambda _: say(usages=[usage(1, "gpu"), usage(1, "ram")]))
    assert (amounts(outbox_scene), outbox_scene.rows(invoices.invoice)) == ([1, 1], [])


def test_a_policy_on_costs_fires_on_reported_usage(outbox_scene: Scene) -> None:
    job(outbox_scene)
    project = resource_named(outbox_scene).project_id
    outbox_scene.add(
        policy.projectestimatedcostpolicy, scope_id=project, limit_cost=20, actions="request_pausing", period=2
    )
    assert outbox_scene.rows(django.content_type, model="project")
    pull(outbox_scene, lambda _: say(usages=[usage(5)]))
    assert not outbox_scene.one(policy.projectestimatedcostpolicy).has_fired
    pull(outbox_scene, lambda _: say(usages=[usage(10)]))
    assert outbox_scene.one(policy.projectestimatedcostpolicy).has_fired
    assert resource_named(outbox_scene).paused
