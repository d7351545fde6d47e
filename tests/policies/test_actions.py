"""What policies do when they fire and when they are released."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import literal, select

from tests.policies.scenes import APRIL, MARCH, Place, allow_mails, evaluate
from tests.scene import Scene
from waldur_dagster.outbox.tables import message
from waldur_dagster.policies import Affected
from waldur_dagster.schema import core, logging, marketplace, policy, quotas

FLAGS = {
    "request_downscaling": "downscaled",
    "request_pausing": "paused",
    "restrict_members": "restrict_member_access",
}
ALL_SET: dict[str, Any] = dict.fromkeys(FLAGS.values(), True)
MANAGED = {"service_provider_can_create_offering_user": True}


def _flags(scene: Scene, resource: int) -> set[str]:
    row = scene.one(marketplace.resource, id=resource)
    return {flag for flag in FLAGS.values() if getattr(row, flag)}


def _kinds(scene: Scene) -> list[str]:
    return [event.event_type for event in scene.rows(logging.event)]


def _payloads(scene: Scene) -> list[dict]:
    return [row.payload for row in scene.rows(message)]


def test_a_policy_fires_with_its_actions_and_notes_when(scene: Scene) -> None:
    place = Place.make(scene)
    id = place.on_project("request_pausing,unknown,block_creation_of_new_resources")
    with scene.site() as site:
        outcome = evaluate(site)
    assert outcome.failures == []
    row = scene.one(policy.projectestimatedcostpolicy, id=id)
    assert (row.has_fired, row.fired_datetime, row.modified) == (True, MARCH, MARCH)
    assert _flags(scene, place.resource) == {"paused"}
    event = scene.one(logging.event)
    assert (event.event_type, event.context) == ("request_pausing", {"policy_uuid": row.uuid.hex})
    assert "vm (Cloud)" in event.message
    assert scene.rows(logging.feed) == []


def test_a_second_run_does_nothing(scene: Scene) -> None:
    allow_mails(scene)
    place = Place.make(scene)
    place.member("member@example.org")
    place.on_project("notify_project_team,request_pausing,terminate_resources")
    with scene.site() as site:
        evaluate(site)
    events, messages = _kinds(scene), _payloads(scene)
    with scene.site() as site:
        again = evaluate(site, MARCH.replace(minute=31))
    assert again.rows == {}
    assert (_kinds(scene), _payloads(scene)) == (events, messages)
    assert len(messages) == 2


def test_a_policy_on_a_customer_acts_on_the_resources_of_all_its_projects(scene: Scene) -> None:
    place = Place.make(scene)
    second = scene.project(place.customer, "Second", is_removed=True)
    instances = scene.offering(scene.customer("Owner"), "VMs", "OpenStack.Instance")
    other = scene.resource(second, instances, None, "other")
    scene.resource(second, instances, None, "going", state=5)
    stranger = scene.resource(scene.project(scene.customer("Stranger")), instances, None)
    place.on_customer("terminate_resources,request_downscaling")
    with scene.site() as site:
        evaluate(site)
    orders = scene.rows(marketplace.order)
    assert [(o.resource_id, o.project_id, o.attributes, o.type, o.state) for o in orders] == [
        (place.resource, place.project, {}, 3, 2),
        (other, second, {"action": "force_destroy"}, 3, 2),
    ]
    robot = scene.one(core.user, username="system_robot").id
    assert {(o.created_by_id, o.consumer_reviewed_by_id) for o in orders} == {(robot, robot)}
    assert [p["args"] for p in _payloads(scene)] == [
        [f"marketplace.order:{o.id}", f"core.user:{robot}"] for o in orders
    ]
    assert _kinds(scene).count("terminate_resources") == 2
    assert [(q.object_id, q.delta) for q in scene.rows(quotas.quotausage, name="order_count")] == [
        (place.offering, 1),
        (instances, 1),
    ]
    flagged = [_flags(scene, r) for r in (place.resource, other, stranger)]
    assert flagged == [{"downscaled"}, {"downscaled"}, set()]


@pytest.mark.parametrize("on", ["project", "customer"])
@pytest.mark.parametrize("action", FLAGS)
def test_each_flag_is_set_with_an_event_of_its_own_kind(scene: Scene, action: str, on: str) -> None:
    place = Place.make(scene)
    offering = scene.offering(scene.customer("Other"), secret_options=MANAGED)
    resource = scene.resource(place.project, offering, None, "managed")
    (place.on_project if on == "project" else place.on_customer)(action)
    with scene.site() as site:
        outcome = evaluate(site)
    assert outcome.failures == []
    assert _flags(scene, resource) == {FLAGS[action]}
    event = scene.one(logging.event)
    assert event.event_type == action
    assert "managed (Offering)" in event.message


@pytest.mark.parametrize("action", ["block_creation_of_new_resources", "block_modification_of_existing_resources"])
def test_a_policy_that_only_forbids_fires_and_is_released_without_a_trace(scene: Scene, action: str) -> None:
    place = Place.make(scene)
    place.on_project(action)
    for as_of, fired in ((MARCH, True), (APRIL, False)):
        with scene.site() as site:
            outcome = evaluate(site, as_of)
        row = scene.one(policy.projectestimatedcostpolicy)
        assert (row.has_fired, row.fired_datetime) == (fired, as_of)
        assert set(outcome.rows) == {"policy_projectestimatedcostpolicy"}
    assert _kinds(scene) == []


def test_actions_that_a_class_does_not_allow_mean_nothing(scene: Scene) -> None:
    allow_mails(scene)
    place = Place.make(scene)
    place.member("member@example.org")
    group = scene.group("Group")
    place.on_customer("notify_project_team, request_pausing")
    place.on_usage("terminate_resources,request_pausing", group, {"CPU": (-1, 0)})
    with scene.site() as site:
        outcome = evaluate(site)
    assert outcome.failures == []
    assert outcome.figures["policies fired"] == 1
    assert (_kinds(scene), _payloads(scene)) == ([], [])
    assert _flags(scene, place.resource) == set()


def test_addresses_of_its_own_mean_nothing_where_a_policy_cannot_have_them(scene: Scene) -> None:
    place = Place.make(scene)
    id = place.on_project("notify_external_user")
    changed = Affected(projects=select(literal(place.project)))
    with scene.site() as site:
        evaluate(site, affected=changed)
        assert not scene.one(policy.projectestimatedcostpolicy, id=id).has_fired  # it has no immediate action
        evaluate(site)
    assert scene.one(policy.projectestimatedcostpolicy, id=id).has_fired
    assert _kinds(scene) == []


def test_members_are_restricted_only_where_the_provider_manages_them(scene: Scene) -> None:
    place = Place.make(scene)
    provider = scene.customer("Other provider")
    managed = scene.offering(provider, secret_options=MANAGED)
    as_text = scene.offering(provider, secret_options={"service_provider_can_create_offering_user": "true"})
    resources = [scene.resource(place.project, offering, None) for offering in (managed, as_text)]
    place.on_project("restrict_members")
    with scene.site() as site:
        evaluate(site)
    assert [_flags(scene, r) for r in resources] == [{"restrict_member_access"}, set()]


@pytest.mark.parametrize("action", FLAGS)
def test_a_released_policy_clears_its_flags_and_only_its_own(scene: Scene, action: str) -> None:
    place = Place.make(scene)
    offering = scene.offering(scene.customer("Other"), secret_options=MANAGED)
    flagged = scene.resource(place.project, offering, None, **ALL_SET)
    gone = scene.resource(place.project, offering, None, state=6, **ALL_SET)
    id = place.on_project(action, has_fired=True, fired_datetime=MARCH)
    with scene.site() as site:
        evaluate(site, APRIL)
    row = scene.one(policy.projectestimatedcostpolicy, id=id)
    assert (row.has_fired, row.fired_datetime) == (False, APRIL)
    assert _flags(scene, flagged) == set(FLAGS.values()) - {FLAGS[action]}
    assert _flags(scene, gone) == set(FLAGS.values())
    assert _kinds(scene) == []


@pytest.mark.parametrize("other", ["project", "customer"])
def test_a_flag_stays_while_another_fired_policy_wants_it(scene: Scene, other: str) -> None:
    place = Place.make(scene)
    paused = scene.resource(place.project, place.offering, None, paused=True, downscaled=True)
    place.on_project("request_pausing,request_downscaling", has_fired=True)
    keep = place.on_project if other == "project" else place.on_customer
    keep("notify_organization_owners,request_pausing", has_fired=True, period=1)
    with scene.site() as site:
        evaluate(site, APRIL)
    assert _flags(scene, paused) == {"paused"}


def test_a_flag_stays_when_another_policy_fires_in_the_run_that_releases_the_first(scene: Scene) -> None:
    place = Place.make(scene)
    place.on_customer("request_pausing", period=1)
    place.on_project("request_pausing", has_fired=True)
    with scene.site() as site:
        evaluate(site, APRIL)
    assert _flags(scene, place.resource) == {"paused"}


def test_a_flag_goes_when_all_policies_that_wanted_it_are_released_in_one_run(scene: Scene) -> None:
    place = Place.make(scene)
    paused = scene.resource(place.project, place.offering, None, paused=True)
    place.on_project("request_pausing", has_fired=True)
    place.on_customer("request_pausing", has_fired=True)
    with scene.site() as site:
        evaluate(site, APRIL)
    assert _flags(scene, paused) == set()


def test_the_team_and_the_owners_are_told_each_address_once(scene: Scene) -> None:
    allow_mails(scene)
    place = Place.make(scene)
    for email in ("zoe@example.org", "ann@example.org", "ann@example.org"):
        place.member(email)
    place.member("quiet@example.org", notifications_enabled=False)
    place.member("left@example.org", is_active=False)
    scene.owner(place.customer, "owner@example.org")
    scene.owner(place.customer, "inactive@example.org", is_active=False)
    place.on_project("notify_project_team,notify_organization_owners")
    with scene.site() as site:
        evaluate(site)
    team = ["ann@example.org", "zoe@example.org"]
    assert [p["to"] for p in _payloads(scene)] == [[email] for email in [*team, "owner@example.org"]]
    told = [event.context["emails"] for event in scene.rows(logging.event, event_type="policy_notification")]
    assert told == [team, ["owner@example.org"]]


def test_links_have_one_slash_after_the_host(scene: Scene) -> None:
    allow_mails(scene)
    place = Place.make(scene)
    scene.owner(place.customer, "owner@example.org")
    place.on_customer("notify_organization_owners")
    with scene.site() as site:
        evaluate(site)
    (mail,) = _payloads(scene)
    assert "https://example.com/organizations/" in mail["body"]


def test_the_event_of_a_notification_is_written_though_it_is_switched_off(scene: Scene) -> None:
    place = Place.make(scene)
    place.on_project("notify_organization_owners")
    with scene.site() as site:
        evaluate(site)
    assert _payloads(scene) == []
    assert _kinds(scene) == ["policy_notification", "notify_organization_owners"]
    assert scene.one(logging.event, event_type="policy_notification").context["emails"] == []


def test_a_failing_policy_is_reported_stays_as_it_was_and_the_others_fire(scene: Scene) -> None:
    allow_mails(scene)
    scene.user("", username="system_robot", is_staff=False)
    bad, good = Place.make(scene), Place.make(scene)
    bad.member("member@example.org")
    failing = bad.on_project("request_pausing,notify_project_team,terminate_resources")
    working = good.on_project("request_pausing")
    with scene.site() as site:
        outcome = evaluate(site)
    (failure,) = outcome.failures
    assert "system_robot" in failure.problem
    fired = {row.id: row.has_fired for row in scene.rows(policy.projectestimatedcostpolicy)}
    assert fired == {failing: False, working: True}
    assert _flags(scene, bad.resource) == set()
    assert _flags(scene, good.resource) == {"paused"}
    assert _payloads(scene) == []
    assert outcome.figures["policies fired"] == 1
    assert outcome.rows["marketplace_resource"] == {"updated": 1}
