"""Policies of newer Waldur: the worked examples of newer_billing 3.6, and what 3.1 to 3.5 say besides."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from tests.policies.clusters import SUPPORTED, run
from tests.policies.scenes import APRIL, MARCH, Place, allow_mails
from tests.scene import Scene, bill
from tests.statements import counted
from waldur_dagster.billing import monthly
from waldur_dagster.outbox.tables import message
from waldur_dagster.policies import evaluate_policies
from waldur_dagster.schema import core, django, invoices, logging, marketplace, policy

pytestmark = pytest.mark.generation("8")
FLAGS = {
    "request_downscaling": ("downscaled", "reset_downscaling"),
    "request_pausing": ("paused", "reset_pausing"),
    "restrict_members": ("restrict_member_access", "reset_member_restriction"),
}
BEFORE = datetime(2025, 2, 1, tzinfo=UTC)


def fired(scene: Scene, table: Any = policy.projectestimatedcostpolicy) -> list[bool]:
    return [row.has_fired for row in scene.rows(table)]


def credit(scene: Scene, place: Place, value: float, **facts: Any) -> int:
    known = {"minimal_consumption_logic": "fixed", "apply_as_minimal_consumption": True}
    return scene.add(invoices.customercredit, customer_id=place.customer, value=value, **(known | facts))


def share(scene: Scene, place: Place, value: float) -> int:
    return scene.add(invoices.projectcredit, project_id=place.project, value=value)


def booked(scene: Scene, credit: int, amount: float, kind: str = "compensation") -> None:
    scene.add(
        invoices.credittransaction,
        credit_id=credit,
        project_credit_id=None,
        amount=amount,
        transaction_type=kind,
        billing_period=date(2025, 3, 1),
    )


def cost(scene: Scene, place: Place, price: float, year: int = 2025, month: int = 3, **facts: Any) -> None:
    known = scene.rows(invoices.invoice, customer_id=place.customer, year=year, month=month)
    state = "pending" if (year, month) == (2025, 3) else "created"
    invoice = known[0].id if known else scene.invoice(place.customer, year, month, state)
    scene.item(invoice, price, **({"resource_id": place.resource, "project_id": place.project} | facts))


def supported(scene: Scene, place: Place, name: str = "vm", **facts: Any) -> int:
    """A resource of the project whose offering supports every flag."""
    offering = scene.offering(scene.customer("Seller"), "Flags", plugin_options=SUPPORTED)
    return scene.resource(place.project, offering, None, name, **facts)


# Credit gates, 3.6


@pytest.mark.parametrize("written", [False, True], ids=["before the rows are written", "after"])
def test_a_policy_fires_when_the_cost_exceeds_its_limit_after_credit_and_little_credit_is_left(
    scene: Scene, written: bool
) -> None:
    place = Place.make(scene, 50)
    cost(scene, place, 300, 2025, 2)
    own = credit(scene, place, 150 if written else 200)
    if written:
        cost(scene, place, -50, credit_id=own, details={"is_compensation": True})
        booked(scene, own, -50)
    for limit in (270, 300, 120):
        place.on_project("block_creation_of_new_resources", limit_cost=limit, period=3)
    alone = 300 if written else 350
    for limit in (alone - 1, alone):
        place.on_project("block_creation_of_new_resources", limit_cost=limit, period=3, use_credit=False)
    run(scene)
    assert fired(scene) == [True, False, False, True, False]


@pytest.mark.parametrize(("used", "fires"), [(50, False), (2050, False), (3050, True)])
def test_a_policy_waits_until_the_projects_own_credit_runs_low(scene: Scene, used: int, fires: bool) -> None:
    place = Place.make(scene, used)
    cost(scene, place, 7701.67, 2024, 5)
    credit(scene, place, 10_000)
    share(scene, place, 2900)
    place.on_project("block_creation_of_new_resources", limit_cost=100, period=1)
    run(scene)
    assert fired(scene) == [fires]


def test_what_the_ledger_says_of_this_month_counts_as_not_yet_paid(scene: Scene) -> None:
    place = Place.make(scene, 1600)
    cost(scene, place, 100_000, 2025, 1)
    own = credit(scene, place, 1500)
    cost(scene, place, -1000, credit_id=own, details={"is_compensation": True})
    booked(scene, own, -1000)
    for limit in (950, 850):
        place.on_customer("block_creation_of_new_resources", limit_cost=limit, period=1)
    run(scene)
    assert fired(scene, policy.customerestimatedcostpolicy) == [True, False]


@pytest.mark.parametrize(("limit", "fires"), [(5099, True), (5100, False)])
def test_a_tail_that_was_taken_is_given_back_before_the_month_is_looked_at_again(
    scene: Scene, limit: int, fires: bool
) -> None:
    place = Place.make(scene, 100)
    cost(scene, place, 5000, 2025, 1)
    own = credit(scene, place, 0, expected_consumption=3000)
    cost(scene, place, -100, credit_id=own, details={"is_compensation": True})
    booked(scene, own, -100)
    booked(scene, own, -900, "minimal_draw")
    cost(scene, place, 1000)
    place.on_customer("block_creation_of_new_resources", limit_cost=limit, period=1)
    run(scene)
    assert fired(scene, policy.customerestimatedcostpolicy) == [fires]


def test_a_site_without_a_ledger_looks_at_the_balance_as_it_is(scene: Scene) -> None:
    place = Place.make(scene, 100)
    credit(scene, place, 500)
    with scene.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE invoices_credittransaction CASCADE")
    for limit in (10, 400):
        place.on_project("block_creation_of_new_resources", limit_cost=limit)
    run(scene)
    assert fired(scene) == [False, False]


def test_a_policy_on_one_resource_counts_and_pauses_only_that(scene: Scene) -> None:
    place = Place.make(scene, 1000)
    one, other = (supported(scene, place, name) for name in ("one", "other"))
    cost(scene, place, 60, resource_id=one)
    for limit in (59, 60):
        place.on_project("request_pausing", limit_cost=limit, resource_id=one, use_credit=False)
    run(scene)
    assert fired(scene) == [True, False]
    assert [scene.one(marketplace.resource, id=id).paused for id in (one, other)] == [True, False]


# Usage


def test_the_first_limit_of_a_usage_policy_alone_decides(scene: Scene) -> None:
    group = scene.group()
    place = Place.make(scene, group=group)
    place.on_usage("", group, {"CPU": (100, 6), "RAM": (5, 6)})
    place.on_usage("", group, {"Disk": (5, 6), "GPU": (100, 6)})
    run(scene)
    assert fired(scene, policy.offeringusagepolicy) == [False, True]


def test_the_usage_of_other_offerings_resources_does_not_count(scene: Scene) -> None:
    group = scene.group()
    place = Place.make(scene, group=group)
    place.on_usage("", group, {"CPU": (5, 5)})
    component = scene.one(marketplace.offeringcomponent).id
    offering = scene.offering(scene.customer("Other"), "Other")
    other = scene.resource(place.project, offering, None, "other")
    facts = {"component_id": component, "billing_period": date(2025, 3, 1), "date": MARCH}
    scene.add(marketplace.componentusage, resource_id=other, usage=100, **facts)
    run(scene)
    assert fired(scene, policy.offeringusagepolicy) == [False]


def test_any_limit_of_a_policy_on_a_customers_usage_fires_it_each_in_its_own_period(scene: Scene) -> None:
    place = Place.make(scene)
    component = scene.component(place.offering, "cpu", "usage")
    for amount, month in ((4, date(2025, 3, 1)), (4, date(2025, 2, 1)), (90, date(2025, 4, 1))):
        place.use(component, amount, month)
    for limits in ([(2, 4), (3, 8)], [(2, 4), (3, 7)], [(1, 8)], [(1, 7)]):
        id = scene.add(policy.customercomponentusagepolicy, scope_id=place.customer, actions="", options={})
        for period, limit in limits:
            scene.add(
                policy.customerusagepolicycomponent, policy_id=id, component_id=component, limit=limit, period=period
            )
    run(scene)
    assert fired(scene, policy.customercomponentusagepolicy) == [False, True, False, True]


# The state machine, 3.1


def test_a_state_changes_without_a_trace_in_modified(scene: Scene) -> None:
    place = Place.make(scene)
    place.on_project("block_creation_of_new_resources", modified=BEFORE)
    for as_of, state in ((MARCH, True), (APRIL, False)):
        run(scene, as_of)
        row = scene.one(policy.projectestimatedcostpolicy)
        assert (row.has_fired, row.fired_datetime, row.modified) == (state, as_of, BEFORE)


def test_a_policy_that_goes_on_covers_what_is_new_and_neither_tells_nor_ends_again(scene: Scene) -> None:
    allow_mails(scene)
    place = Place.make(scene)
    scene.owner(place.customer, "owner@example.org")
    place.on_project("request_pausing,notify_organization_owners,terminate_resources", has_fired=True)
    new = supported(scene, place)
    run(scene)
    assert scene.one(marketplace.resource, id=new).paused
    assert (scene.rows(message), scene.rows(marketplace.order)) == ([], [])
    before = len(scene.rows(logging.event))
    assert run(scene).rows == {}
    assert len(scene.rows(logging.event)) == before


# Flags, 3.5


@pytest.mark.parametrize("action", FLAGS)
def test_a_flag_is_set_where_the_offering_supports_it_with_a_note_and_two_events(scene: Scene, action: str) -> None:
    column, reset = FLAGS[action]
    robot = scene.user("", username="system_robot", is_staff=True)
    place = Place.make(scene)
    credit(scene, place, 0)
    flagged = supported(scene, place, attributes={"name": "vm"})
    already = supported(scene, place, "already", **{column: True})
    place.on_project(action, limit_cost=10)
    run(scene)
    row, rule = scene.one(marketplace.resource, id=flagged), scene.one(policy.projectestimatedcostpolicy)
    assert getattr(row, column)
    assert row.attributes["name"] == "vm"
    assert row.attributes["_policy_attribution"][column] == {
        "policy_class": "ProjectEstimatedCostPolicy",
        "policy_uuid": rule.uuid.hex,
        "action": action,
        "scope_name": "Project",
        "timestamp": MARCH.isoformat(),
        "limit_cost": 10,
        "limit_type": None,
        "grace_ratio": None,
        "actions": action,
    }
    assert scene.one(marketplace.resource, id=already).attributes == {}
    assert not getattr(scene.one(marketplace.resource, id=place.resource), column)
    updated, own_event = scene.rows(logging.event)
    assert (updated.event_type, own_event.event_type) == ("marketplace_resource_update_succeeded", action)
    assert own_event.message == f"Cost policy has triggered {action} on resource vm."
    context = own_event.context
    assert (context["resource_uuid"], context["limit_cost"], context["credit_balance"]) == (row.uuid.hex, 10, 0)
    assert context["user_uuid"] == scene.one(core.user, id=robot).uuid.hex
    kinds = {kind.id: kind.model for kind in scene.rows(django.content_type)}
    shown = [(kinds[f.content_type_id], f.object_id) for f in scene.rows(logging.feed, event_id=own_event.id)]
    assert shown == [("resource", flagged), ("project", place.project), ("customer", place.customer)]
    run(scene, APRIL)
    row = scene.one(marketplace.resource, id=flagged)
    assert (getattr(row, column), row.attributes) == (False, {"name": "vm"})
    assert scene.rows(logging.event)[-1].event_type == reset


@pytest.mark.parametrize("other", ["project", "customer", "one resource"])
def test_a_flag_stays_while_another_fired_policy_covers_the_resource(scene: Scene, other: str) -> None:
    place = Place.make(scene, 0)
    kept, freed = (supported(scene, place, name, paused=True) for name in ("kept", "freed"))
    place.on_project("request_pausing", has_fired=True, limit_cost=10)
    keep = place.on_customer if other == "customer" else place.on_project
    narrowed = {"resource_id": kept} if other == "one resource" else {}
    keep("request_pausing", has_fired=True, limit_cost=-1, **narrowed)
    run(scene)
    states = [scene.one(marketplace.resource, id=id).paused for id in (kept, freed)]
    assert states == [True, other != "one resource"]


@pytest.mark.parametrize("knows", [True, False], ids=["the site tells pauses apart", "it does not"])
def test_in_the_days_of_grace_a_pause_outlasts_its_policy(scene: Scene, knows: bool) -> None:
    if knows:
        with scene.engine.begin() as connection:
            connection.exec_driver_sql(
                "ALTER TABLE marketplace_resource ADD paused_by_grace_period boolean NOT NULL DEFAULT false"
            )
        scene = Scene(scene.engine, known=True)
    customer = scene.customer(grace_period_days=30)
    over = scene.project(customer, end_date=date(2025, 3, 1))
    place = Place(scene, customer, over, scene.offering(customer), 0, scene.invoice(customer, 2025, 3))
    noted = {"_policy_attribution": {"paused": {"policy_uuid": "x", "policy_class": "ProjectEstimatedCostPolicy"}}}
    by_policy = supported(scene, place, "by policy", paused=True, attributes=noted)
    by_hand = supported(scene, place, "by hand", paused=True)
    place.on_project("request_pausing", has_fired=True)
    run(scene)
    rows = [scene.one(marketplace.resource, id=id) for id in (by_policy, by_hand)]
    assert [row.paused for row in rows] == [True, True]
    assert rows[0].attributes == ({} if knows else noted)
    if knows:
        assert [row.paused_by_grace_period for row in rows] == [True, False]


def test_a_limit_on_usage_keeps_its_own_pause(scene: Scene) -> None:
    place = Place.make(scene, 0)
    limited = supported(scene, place, paused=True, usage_limit_restriction="paused")
    place.on_project("request_pausing", has_fired=True)
    run(scene)
    assert scene.one(marketplace.resource, id=limited).paused


def test_ends_are_ordered_in_the_name_of_who_had_the_resource_ordered_for_him(scene: Scene) -> None:
    place = Place.make(scene)
    robot, author = scene.user("", username="system_robot", is_staff=True), scene.user("author@example.org")
    ordered = {"type": 1, "state": 3, "offering_id": place.offering, "project_id": place.project}
    scene.add(
        marketplace.order,
        resource_id=place.resource,
        created_by_id=author,
        placed_automatically=True,
        attributes={},
        limits={},
        **ordered,
    )
    servers = scene.offering(scene.customer("Seller"), "Servers", "OpenStack.Instance")
    scene.resource(place.project, servers, None, "server")
    place.on_project("terminate_resources")
    run(scene)
    made = sorted(scene.rows(marketplace.order, type=3), key=lambda row: row.resource_id)
    assert [(o.created_by_id, o.placed_automatically, o.attributes) for o in made] == [
        (author, True, {}),
        (robot, False, {}),
    ]
    assert {(o.consumer_reviewed_by_id, o.consumer_reviewed_at) for o in made} == {(robot, None)}
    assert [row.payload["args"][1] for row in scene.rows(message)] == [f"core.user:{robot}"] * 2
    events = scene.rows(logging.event, event_type="terminate_resources")
    assert [len(scene.rows(logging.feed, event_id=event.id)) for event in events] == [3, 3]


@pytest.mark.parametrize("scope", ["project", "customer"])
def test_owners_and_those_whom_the_policy_names_are_mailed(scene: Scene, scope: str) -> None:
    allow_mails(scene)
    place = Place.make(scene)
    scene.owner(place.customer, "owner@example.org")
    options = {"notify_external_user": "zoe@example.org, ann@example.org,,ann@example.org"}
    rule = place.on_project if scope == "project" else place.on_customer
    rule("notify_organization_owners,notify_external_user", options=options)
    run(scene)
    to = [row.payload["to"] for row in scene.rows(message)]
    assert to == [["owner@example.org"], ["ann@example.org"], ["zoe@example.org"]]
    events = {event.event_type: event.id for event in scene.rows(logging.event)}
    assert set(events) == {"policy_notification", "notify_organization_owners", "notify_external_user"}
    shown = scene.rows(logging.feed, event_id=events["notify_external_user"])
    assert len(shown) == (2 if scope == "project" else 1)
    assert scene.rows(logging.feed, event_id=events["policy_notification"]) == []


def test_the_months_invoices_do_not_wait_for_a_broken_policy(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ValueError("something unforeseen")

    monkeypatch.setattr(monthly, "evaluate_policies", broken)
    place = Place.make(scene)
    plan = scene.plan(place.offering)
    scene.price(plan, scene.component(place.offering, "seat", "fixed"), 10)
    scene.resource(place.project, place.offering, plan, "billed")
    with scene.site() as site:
        (failure,) = bill(site, "2025-04-01T00:05:00+00:00").failures
    assert failure.item == "policies on new invoices"
    assert scene.rows(invoices.invoice, customer_id=place.customer, year=2025, month=4)


# Size


def test_statements_do_not_grow_with_policies_that_go_on_or_are_released(scene: Scene) -> None:
    def statements(places: int) -> int:
        for _ in range(places):
            place = Place.make(scene)
            credit(scene, place, 5)
            supported(scene, place)
            place.on_project("request_pausing,request_downscaling", has_fired=True)
            place.on_customer("restrict_members", has_fired=True, limit_cost=1000)
        with scene.site() as site, site.work("check-polices", MARCH) as work, counted(work.connection) as seen:
            evaluate_policies(work)
        return len(seen)

    assert statements(1) == statements(10)
