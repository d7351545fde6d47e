"""When policies fire: which costs and usage count, for which months, and what credits take off."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import literal, select, update

from tests.policies.scenes import APRIL, MARCH, Place, allow_mails, evaluate
from tests.scene import Scene
from waldur_dagster.outbox.tables import message
from waldur_dagster.policies import Affected
from waldur_dagster.schema import invoices, logging, marketplace, policy, structure


def _fired(scene: Scene, table: Any = policy.projectestimatedcostpolicy) -> list[bool]:
    return [row.has_fired for row in scene.rows(table)]


@pytest.mark.parametrize(("cost", "fires"), [("10", False), ("10.001", True), ("9.99", False)])
def test_a_policy_fires_above_its_limit_with_each_price_rounded_up(scene: Scene, cost: str, fires: bool) -> None:
    Place.make(scene, cost).on_project("")
    with scene.site() as site:
        evaluate(site)
    assert _fired(scene) == [fires]


@pytest.mark.parametrize("change", [{"blocked": True}, {"archived": True}])
def test_a_customer_that_is_blocked_or_archived_costs_nothing(scene: Scene, change: dict[str, bool]) -> None:
    Place.make(scene, **change).on_customer("", has_fired=True)
    with scene.site() as site:
        evaluate(site)
    assert _fired(scene, policy.customerestimatedcostpolicy) == [False]


@pytest.mark.parametrize(
    ("month", "by_period"),
    [((2025, 3), [1, 2, 3, 4]), ((2025, 1), [1, 3, 4]), ((2024, 4), [1, 4]), ((2024, 3), [1]), ((2025, 4), [1])],
)
def test_a_period_is_a_number_of_months_up_to_this_one(
    scene: Scene, month: tuple[int, int], by_period: list[int]
) -> None:
    place = Place.make(scene, 0)
    invoice = place.invoice if month == (2025, 3) else scene.invoice(place.customer, *month)
    scene.item(invoice, 20, project_id=place.project)
    for period in (1, 2, 3, 4):
        place.on_project("", period=period)
    with scene.site() as site:
        evaluate(site)
    assert [row.period for row in scene.rows(policy.projectestimatedcostpolicy) if row.has_fired] == by_period


def test_credit_is_taken_off_the_cost_and_nothing_of_it_is_used_up(scene: Scene) -> None:
    place = Place.make(scene)
    scene.add(invoices.customercredit, customer_id=place.customer, value=12, minimal_consumption_logic="fixed")
    place.on_project("")
    place.on_customer("", limit_cost=7)
    with scene.site() as site:
        evaluate(site)
    assert _fired(scene) == [False]
    assert _fired(scene, policy.customerestimatedcostpolicy) == [True]
    assert scene.one(invoices.customercredit).value == 12


def test_a_compensation_below_0_adds_to_the_cost(scene: Scene) -> None:
    """A project's own credit takes its organization's below 0, and the next item pays that back."""
    place = Place.make(scene, 30)
    scene.add(invoices.customercredit, customer_id=place.customer, value=10, minimal_consumption_logic="fixed")
    favoured = scene.project(place.customer, "Favoured")
    scene.add(invoices.projectcredit, project_id=favoured, value=50)
    resource = scene.resource(favoured, place.offering, None)
    scene.item(place.invoice, 20, resource_id=resource, project_id=favoured)
    for limit in (39, 40):
        place.on_project("", limit_cost=limit)
    with scene.site() as site:
        evaluate(site)
    assert _fired(scene) == [True, False]


def test_a_project_that_has_moved_is_not_paid_for_by_the_credit_of_its_former_customer(scene: Scene) -> None:
    place = Place.make(scene)
    scene.add(invoices.customercredit, customer_id=place.customer, value=15, minimal_consumption_logic="fixed")
    moved = scene.project(scene.customer("New"), "Moved")
    scene.item(place.invoice, 12, resource_id=scene.resource(moved, place.offering, None), project_id=moved)
    place.on_project("")
    scene.add(policy.projectestimatedcostpolicy, scope_id=moved, actions="", limit_cost=10, period=2)
    with scene.site() as site:
        evaluate(site)
    assert _fired(scene) == [True, True]


def test_a_debt_adds_to_the_cost(scene: Scene) -> None:
    place = Place.make(scene, 30)
    scene.add(invoices.customercredit, customer_id=place.customer, value=-12, minimal_consumption_logic="fixed")
    for limit in (41, 42):
        place.on_customer("", limit_cost=limit)
    with scene.site() as site:
        evaluate(site)
    assert _fired(scene, policy.customerestimatedcostpolicy) == [True, False]


def test_what_a_negative_item_gives_back_to_a_credit_pays_for_the_other_items(scene: Scene) -> None:
    place = Place.make(scene, 30)
    scene.add(invoices.customercredit, customer_id=place.customer, value=12, minimal_consumption_logic="fixed")
    other = scene.project(place.customer, "Other")
    resource = scene.resource(other, place.offering, None)
    scene.item(place.invoice, -5, resource_id=resource, project_id=other)
    for limit in (12, 13):
        place.on_project("", limit_cost=limit)
    with scene.site() as site:
        evaluate(site)
    assert _fired(scene) == [True, False]


def test_the_cost_of_an_offering_is_what_customers_of_the_policys_groups_pay(scene: Scene) -> None:
    chosen, other = (scene.group(name) for name in ("Chosen", "Other"))
    place = Place.make(scene, group=chosen)
    for group, blocked in ((chosen, False), (other, False), (None, False), (chosen, True)):
        customer = scene.member(group, blocked=blocked)
        resource = scene.resource(scene.project(customer), place.offering, None)
        scene.item(scene.invoice(customer, 2025, 3), 5, resource_id=resource)
    scene.item(place.invoice, 100, resource_id=scene.resource(place.project, scene.offering(place.customer), None))
    scene.item(place.invoice, 100, project_id=place.project)
    for groups, limit in (([chosen], 24), ([chosen], 25), ([chosen, other], 29), ([chosen, other], 30), ([], 0)):
        place.on_offering("", *groups, limit_cost=limit)
    with scene.site() as site:
        evaluate(site)
    assert _fired(scene, policy.offeringestimatedcostpolicy) == [True, False, True, False, False]


def test_any_limit_of_a_usage_policy_fires_it_and_the_mail_names_the_first_exceeded_one(scene: Scene) -> None:
    allow_mails(scene)
    group = scene.group("Group")
    place = Place.make(scene, group=group)
    provider = scene.one(marketplace.offering, id=place.offering).customer_id
    scene.owner(provider, "provider@example.org")
    place.on_usage("notify_organization_owners", group, {"CPU": (100, 6), "RAM": (5, 6), "Disk": (4, 6)})
    with scene.site() as site:
        outcome = evaluate(site)
    assert outcome.failures == []
    assert _fired(scene, policy.offeringusagepolicy) == [True]
    mail = scene.one(message).payload
    assert mail["to"] == ["provider@example.org"]
    assert "5 (RAM)" in mail["body"]
    assert f"https://example.com/providers/{scene.one(structure.customer, id=provider).uuid.hex}/" in mail["body"]
    assert [e.event_type for e in scene.rows(logging.event)] == ["policy_notification", "notify_organization_owners"]


@pytest.mark.parametrize(
    ("day", "by_period"),
    [
        (date(2025, 3, 31), [1, 2, 3, 4]),
        (date(2025, 2, 28), [1, 3, 4]),
        (date(2024, 12, 31), [1, 4]),
        (date(2024, 4, 1), [1, 4]),
        (date(2024, 3, 31), [1]),
        (date(2025, 4, 1), [1]),
    ],
)
def test_usage_counts_from_the_first_day_of_a_period_to_the_last_of_this_month(
    scene: Scene, day: date, by_period: list[int]
) -> None:
    group = scene.group("Group")
    place = Place.make(scene, group=group)
    for period in (1, 2, 3, 4):
        place.on_usage("", group, {f"c{period}": (5, 0)}, period)
    for limit in scene.rows(policy.offeringcomponentlimit):
        place.use(limit.component_id, 6, day)
    with scene.site() as site:
        evaluate(site)
    assert [row.period for row in scene.rows(policy.offeringusagepolicy) if row.has_fired] == by_period


def test_policies_of_all_classes_change_in_one_run(scene: Scene) -> None:
    group = scene.group("Group")
    for fires in (True, False):
        place = Place.make(scene, 20 if fires else 5, group=group)
        place.on_project("", has_fired=not fires)
        place.on_customer("", has_fired=not fires)
        place.on_offering("", group, has_fired=not fires)
        usage = place.on_usage("", group, {f"cpu_{fires}": (10, 20 if fires else 5)})
        with scene.engine.begin() as connection:
            changed = update(policy.offeringusagepolicy).where(policy.offeringusagepolicy.c.id == usage)
            connection.execute(changed.values(has_fired=not fires))
    with scene.site() as site:
        outcome = evaluate(site)
    assert (outcome.figures["policies fired"], outcome.figures["policies released"]) == (4, 4)
    for table in (
        policy.projectestimatedcostpolicy,
        policy.customerestimatedcostpolicy,
        policy.offeringestimatedcostpolicy,
        policy.offeringusagepolicy,
    ):
        assert _fired(scene, table) == [True, False]


def test_after_a_change_only_policies_of_its_scopes_with_an_immediate_action_are_evaluated(scene: Scene) -> None:
    place, other = Place.make(scene), Place.make(scene)
    place.on_project("request_pausing")
    place.on_project("block_creation_of_new_resources")
    other.on_project("request_pausing")
    with scene.site() as site:
        evaluate(site, affected=Affected(projects=select(literal(place.project))))
    assert _fired(scene) == [True, False, False]


def test_a_release_after_a_change_leaves_the_moment_of_firing(scene: Scene) -> None:
    place = Place.make(scene)
    place.on_project("request_pausing", has_fired=True, fired_datetime=MARCH)
    with scene.site() as site:
        evaluate(site, APRIL, Affected(projects=select(literal(place.project))))
    row = scene.one(policy.projectestimatedcostpolicy)
    assert (row.has_fired, row.fired_datetime, row.modified) == (False, MARCH, APRIL)
