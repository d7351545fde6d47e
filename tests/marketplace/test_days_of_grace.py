"""Ends of projects on newer sites: days of grace, pauses meanwhile, and terminate orders that wait."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.marketplace.test_termination import grant, run
from tests.scene import Scene
from waldur_dagster.marketplace.expiry import end_projects, terminate_expired_resources
from waldur_dagster.marketplace.pending_orders import process_pending_project_orders
from waldur_dagster.marketplace.states import OrderState, OrderType, ResourceState
from waldur_dagster.marketplace.timeouts import give_up_stale_orders
from waldur_dagster.outbox.tables import message
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import core, django, logging, marketplace, policy, structure

pytestmark = pytest.mark.generation("8")
NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)
TODAY = NOON.date()
PAUSABLE = {"supports_pausing": True}


def days_ago(days: int) -> date:
    return TODAY - timedelta(days=days)


class Site:
    """An organization with a project that has ended and one resource in it."""

    def __init__(
        self, scene: Scene, ended: int, grace: int | None = None, of_customer: int | None = None, **options: Any
    ):
        self.scene = scene
        self.customer = scene.customer("Acme", grace_period_days=of_customer)
        self.project = scene.project(self.customer, "Alpha", end_date=days_ago(ended), grace_period_days=grace)
        self.offering = scene.offering(
            self.customer, type="OpenStack.Tenant", shared=True, billable=True, plugin_options=options
        )
        self.resource = scene.resource(self.project, self.offering, None, "vm")

    def end(self, at: datetime = NOON) -> Outcome:
        return run(self.scene, end_projects, at=at)

    def orders(self) -> list[Any]:
        return self.scene.rows(marketplace.order)

    def events(self) -> list[str]:
        return [event.event_type for event in self.scene.rows(logging.event)]

    def found(self) -> Any:
        return self.scene.one(marketplace.resource, id=self.resource)


@pytest.mark.parametrize(
    ("ended", "grace", "of_customer", "ends"),
    [
        (0, None, None, True),
        (0, 0, 30, True),
        (0, None, 30, False),
        (4, 5, None, False),
        (5, 5, 1, True),
        (-1, 0, 0, False),
    ],
    ids=["no grace", "own zero wins", "the organization's", "a day early", "the last day", "not ended"],
)
def test_a_project_is_over_when_its_days_of_grace_are(
    scene: Scene, ended: int, grace: int | None, of_customer: int | None, ends: bool
) -> None:
    site = Site(scene, ended, grace, of_customer)
    site.end()
    assert [order.type for order in site.orders()] == ([OrderType.TERMINATE] if ends else [])


def test_an_empty_project_is_deleted_on_the_last_day_of_grace_and_not_before(scene: Scene) -> None:
    project = scene.project(scene.customer(), end_date=days_ago(3), grace_period_days=4)
    run(scene, end_projects)
    assert not scene.one(structure.project, id=project).is_removed
    run(scene, end_projects, at=NOON + timedelta(days=1))
    assert scene.one(structure.project, id=project).is_removed


def test_days_of_grace_that_nobody_means_stop_nothing(scene: Scene) -> None:
    Site(scene, 1, 2**31 - 1)
    over = Site(scene, 1)
    over.end()
    assert [order.resource_id for order in over.orders()] == [over.resource]


@pytest.mark.parametrize(
    ("ended", "options", "state", "pauses"),
    [
        (1, PAUSABLE, ResourceState.OK, True),
        (1, PAUSABLE, ResourceState.ERRED, True),
        (5, PAUSABLE, ResourceState.OK, True),
        (0, PAUSABLE, ResourceState.OK, False),
        (1, {}, ResourceState.OK, False),
        (1, {"supports_pausing": "true"}, ResourceState.OK, False),
        (1, PAUSABLE, ResourceState.TERMINATING, False),
        (1, PAUSABLE, ResourceState.TERMINATED, False),
    ],
    ids=["first day", "erred", "last day", "end date itself", "no pausing", "a text", "terminating", "terminated"],
)
def test_resources_are_paused_while_the_project_is_in_its_days_of_grace(
    scene: Scene, ended: int, options: dict[str, Any], state: ResourceState, pauses: bool
) -> None:
    site = Site(scene, ended, 5, **options)
    whole = scene.whole(marketplace.resource)
    with scene.engine.begin() as connection:
        connection.execute(whole.update().values(state=state))
    site.end()
    assert site.found().paused is pauses
    assert ("marketplace_resource_paused" in site.events()) is pauses


def test_offerings_without_grace_end_at_once_and_are_not_paused(scene: Scene) -> None:
    site = Site(scene, 1, 5, disable_grace_period=True, **PAUSABLE)
    site.end()
    assert [order.state for order in site.orders()] == [OrderState.EXECUTING]
    assert not site.found().paused


def _tell_pauses_apart(scene: Scene) -> None:
    with scene.engine.begin() as connection:
        connection.exec_driver_sql(
            "ALTER TABLE marketplace_resource ADD COLUMN paused_by_grace_period boolean NOT NULL DEFAULT false"
        )


def _move_end(scene: Scene) -> None:
    with scene.engine.begin() as connection:
        connection.execute(scene.whole(structure.project).update().values(end_date=TODAY + timedelta(days=90)))


@pytest.mark.parametrize("kept_by", [None, "usage limit", "policy"])
def test_a_pause_for_grace_is_taken_back_when_the_end_has_moved_unless_something_else_wants_it(
    scene: Scene, kept_by: str | None
) -> None:
    _tell_pauses_apart(scene)
    site = Site(scene, 1, 5, **PAUSABLE)
    site.end()
    assert (site.found().paused, _by_grace(scene)) == (True, True)
    _move_end(scene)
    with scene.engine.begin() as connection:
        resource = scene.whole(marketplace.resource)
        if kept_by == "usage limit":
            connection.execute(resource.update().values(usage_limit_restriction="paused"))
        if kept_by == "policy":
            connection.execute(resource.update().values(attributes={"_policy_attribution": {"paused": {}}}))
    site.end()
    assert (site.found().paused, _by_grace(scene)) == (kept_by is not None, False)
    assert ("reset_pausing" in site.events()) is (kept_by is None)


@pytest.mark.parametrize("scope", ["project", "customer"])
@pytest.mark.parametrize("has_fired", [True, False])
def test_a_policy_that_has_fired_meanwhile_keeps_the_pause(scene: Scene, scope: str, has_fired: bool) -> None:
    _tell_pauses_apart(scene)
    site = Site(scene, 1, 5, **PAUSABLE)
    site.end()
    table, on = {
        "project": (policy.projectestimatedcostpolicy, site.project),
        "customer": (policy.customerestimatedcostpolicy, site.customer),
    }[scope]
    scene.add(table, scope_id=on, has_fired=has_fired, actions="request_pausing", limit_cost=1, period=3)
    _move_end(scene)
    site.end()
    assert (site.found().paused, _by_grace(scene)) == (has_fired, False)
    assert ("reset_pausing" in site.events()) is not has_fired


@pytest.mark.parametrize(
    ("told_since", "released"),
    [(None, True), ("marketplace_resource_update_succeeded", True), ("request_pausing", False)],
)
def test_a_pause_that_is_older_than_the_mark_is_taken_back_as_its_log_tells(
    scene: Scene, told_since: str | None, released: bool
) -> None:
    site = Site(scene, 1, 5, **PAUSABLE)
    site.end()
    other = scene.resource(site.project, site.offering, None, "paused by hand", paused=True)
    if told_since is not None:
        event = scene.add(logging.event, event_type=told_since, created=NOON + timedelta(hours=1), context={})
        kind = scene.one(django.content_type, model="resource").id
        scene.add(logging.feed, event_id=event, content_type_id=kind, object_id=site.resource)
    _tell_pauses_apart(scene)
    _move_end(scene)
    site.end()
    assert site.found().paused is not released
    assert scene.one(marketplace.resource, id=other).paused
    assert site.events().count("reset_pausing") == released


def test_old_pauses_in_the_days_of_grace_are_marked_once(scene: Scene) -> None:
    site = Site(scene, 1, 5, **PAUSABLE)
    site.end()
    _tell_pauses_apart(scene)
    for hours in (1, 2):
        site.end(NOON + timedelta(hours=hours))
    assert (site.found().paused, site.found().modified) == (True, NOON + timedelta(hours=1))
    assert _by_grace(scene)


def _by_grace(scene: Scene) -> bool:
    with scene.engine.connect() as connection:
        return bool(connection.exec_driver_sql("SELECT paused_by_grace_period FROM marketplace_resource").scalar())


def _waiting(site: Site, **values: Any) -> int:
    author = site.scene.user("author@example.org")
    facts = {"type": OrderType.TERMINATE, "state": OrderState.PENDING_CONSUMER, "created_by_id": author} | values
    return site.scene.add(
        marketplace.order,
        resource_id=site.resource,
        offering_id=site.offering,
        project_id=site.project,
        **facts,
    )


@pytest.mark.parametrize("state", [ResourceState.OK, ResourceState.TERMINATING])
def test_a_terminate_order_that_waits_is_approved_and_no_other_is_made(scene: Scene, state: ResourceState) -> None:
    site = Site(scene, 0)
    waiting = _waiting(site)
    whole = scene.whole(marketplace.resource)
    with scene.engine.begin() as connection:
        connection.execute(whole.update().values(state=state))
    for _ in range(2):
        site.end()
    (order,) = site.orders()
    assert (order.id, order.state, order.completed_at) == (waiting, OrderState.EXECUTING, None)
    assert scene.one(core.user, id=order.created_by_id).email == "author@example.org"
    assert scene.one(core.user, id=order.consumer_reviewed_by_id).username == "system_robot"
    assert order.consumer_reviewed_at == NOON


def test_other_orders_that_wait_are_cancelled_and_have_ended(scene: Scene) -> None:
    site = Site(scene, 0)
    update = _waiting(site, type=OrderType.UPDATE)
    site.end()
    cancelled, made = site.orders()
    assert (cancelled.id, cancelled.state, cancelled.completed_at) == (update, OrderState.CANCELED, NOON)
    assert (made.type, made.completed_at) == (OrderType.TERMINATE, None)


@pytest.mark.parametrize(
    ("type", "state"), [(OrderType.TERMINATE, OrderState.ERRED), (OrderType.UPDATE, OrderState.EXECUTING)]
)
@pytest.mark.parametrize("waits_for", [OrderType.TERMINATE, OrderType.UPDATE])
def test_orders_wait_on_while_another_is_carried_out_or_a_termination_has_failed_lately(
    scene: Scene, type: OrderType, state: OrderState, waits_for: OrderType
) -> None:
    site = Site(scene, 0)
    _waiting(site, type=type, state=state, modified=NOON - timedelta(hours=2))
    _waiting(site, type=waits_for)
    site.end()
    assert [order.state for order in site.orders()] == [state, OrderState.PENDING_CONSUMER]
    assert "marketplace_order_terminated" not in site.events()


def test_other_orders_wait_on_beside_a_termination_that_is_approved(scene: Scene) -> None:
    site = Site(scene, 0)
    _waiting(site, type=OrderType.UPDATE)
    _waiting(site)
    site.end()
    assert [order.state for order in site.orders()] == [OrderState.PENDING_CONSUMER, OrderState.EXECUTING]


@pytest.mark.parametrize("type", [OrderType.TERMINATE, OrderType.UPDATE])
def test_nothing_is_ordered_beside_an_order_that_waits_for_its_start_date(scene: Scene, type: OrderType) -> None:
    site = Site(scene, 0)
    _waiting(site, type=type, state=OrderState.PENDING_START_DATE, start_date=TODAY + timedelta(days=5))
    outcome = site.end()
    assert [order.state for order in site.orders()] == [OrderState.PENDING_START_DATE]
    assert ["waits for its start date" in finding.problem for finding in outcome.warnings] == [True]


def test_the_robot_acts_for_whom_the_resource_was_ordered_automatically(scene: Scene) -> None:
    site = Site(scene, 0)
    created = _waiting(site, type=OrderType.CREATE, state=OrderState.DONE, placed_automatically=True)
    author = scene.one(marketplace.order, id=created).created_by_id
    site.end()
    made = scene.one(marketplace.order, type=OrderType.TERMINATE)
    assert (made.created_by_id, made.placed_automatically) == (author, True)
    assert scene.one(core.user, id=made.consumer_reviewed_by_id).username == "system_robot"
    assert _acting(scene) == [made.consumer_reviewed_by_id]


def test_workers_act_for_the_robot_where_the_asker_may_not_approve(scene: Scene) -> None:
    site = Site(scene, 0)
    provider, owner = scene.customer("Provider"), scene.owner(site.customer, "owner@example.org")
    grant(scene, "CUSTOMER.OWNER", "RESOURCE.TERMINATE")
    with scene.engine.begin() as connection:
        connection.execute(marketplace.offering.update().values(customer_id=provider))
        connection.execute(marketplace.resource.update().values(end_date_requested_by_id=owner))
    site.end()
    (order,) = site.orders()
    assert (order.created_by_id, order.state) == (owner, OrderState.EXECUTING)
    assert _acting(scene) == [scene.one(core.user, username="system_robot").id]


def test_a_provider_who_asked_for_the_end_acts_though_he_does_not_see_the_project(scene: Scene) -> None:
    site = Site(scene, 0)
    provider = scene.customer("Provider")
    owner = scene.owner(provider, "provider@example.org")
    grant(scene, "CUSTOMER.OWNER", "RESOURCE.TERMINATE", "ORDER.APPROVE")
    with scene.engine.begin() as connection:
        connection.execute(marketplace.offering.update().values(customer_id=provider))
        connection.execute(marketplace.resource.update().values(end_date_requested_by_id=owner))
    site.end()
    (order,) = site.orders()
    assert (order.created_by_id, order.consumer_reviewed_by_id) == (owner, owner)


def _acting(scene: Scene) -> list[int]:
    """In whose name workers are to process orders."""
    rows = [row.payload for row in scene.rows(message, kind="handover")]
    return [int(row["args"][1].removeprefix("core.user:")) for row in rows]


def test_a_project_that_has_started_where_the_site_is_has_not_in_utc(scene: Scene) -> None:
    project = scene.project(scene.customer(), start_date=TODAY + timedelta(days=1))
    offering = scene.offering(1, type="OpenStack.Tenant", shared=True, billable=True)
    scene.resource(project, offering, None, "vm", end_date=TODAY)
    evening, in_tokyo = NOON + timedelta(hours=8), {"time_zone": "Asia/Tokyo"}
    run(scene, terminate_expired_resources, at=evening, document=in_tokyo)
    assert scene.one(marketplace.order).state == OrderState.PENDING_PROJECT
    run(scene, process_pending_project_orders, at=evening, document=in_tokyo)
    assert scene.one(marketplace.order).state == OrderState.EXECUTING


def test_orders_get_readable_slugs_that_differ(scene: Scene) -> None:
    customer = scene.customer("Acme", slug="acme")
    offering = scene.offering(customer, type="OpenStack.Tenant", shared=True, billable=True, slug="tenant")
    project = scene.project(customer)
    for name in ("a", "b", "c"):
        scene.resource(project, offering, None, name, end_date=TODAY)
    run(scene, terminate_expired_resources)
    assert [order.slug for order in scene.rows(marketplace.order)] == [
        f"acme-tenant-2025-03-10{number}" for number in ("", "-2", "-3")
    ]


def test_a_long_slug_is_cut_to_its_column_and_keeps_its_number(scene: Scene) -> None:
    customer = scene.customer("Acme", slug="a" * 50)
    offering = scene.offering(customer, type="OpenStack.Tenant", shared=True, billable=True, slug="b" * 50)
    project = scene.project(customer)
    for name in ("a", "b"):
        scene.resource(project, offering, None, name, end_date=TODAY)
    run(scene, terminate_expired_resources)
    assert [order.slug for order in scene.rows(marketplace.order)] == ["a" * 50, "a" * 48 + "-2"]


@pytest.mark.parametrize(("says_no", "waits"), [(False, True), (True, False), (None, False)])
def test_providers_may_ask_for_a_say_in_orders_of_script_offerings(
    scene: Scene, says_no: bool | None, waits: bool
) -> None:
    customer = scene.customer()
    project = scene.project(customer, start_date=TODAY)
    options = {} if says_no is None else {"auto_approve_marketplace_script": says_no}
    offering = scene.offering(customer, type="Marketplace.Script", plugin_options=options)
    resource = scene.resource(project, offering, None, state=ResourceState.CREATING)
    scene.add(
        marketplace.order,
        type=OrderType.CREATE,
        state=OrderState.PENDING_PROJECT,
        resource_id=resource,
        offering_id=offering,
        project_id=project,
        created_by_id=scene.user("a@example.org", is_staff=True),
    )
    run(scene, process_pending_project_orders)
    state = scene.one(marketplace.order).state
    assert state == (OrderState.PENDING_PROVIDER if waits else OrderState.EXECUTING)


def test_an_order_with_a_start_date_of_its_own_waits_on_when_the_project_has_started(scene: Scene) -> None:
    customer = scene.customer()
    project = scene.project(customer, start_date=TODAY)
    offering = scene.offering(customer, type="OpenStack.Tenant")
    resource = scene.resource(project, offering, None, state=ResourceState.CREATING)
    author = scene.user("a@example.org")
    for start in (TODAY, TODAY + timedelta(days=1)):
        scene.add(
            marketplace.order,
            type=OrderType.CREATE,
            state=OrderState.PENDING_PROJECT,
            resource_id=resource,
            offering_id=offering,
            project_id=project,
            created_by_id=author,
            start_date=start,
        )
    run(scene, process_pending_project_orders)
    states = [order.state for order in scene.rows(marketplace.order)]
    assert states == [OrderState.EXECUTING, OrderState.PENDING_START_DATE]


@pytest.mark.parametrize("is_approved", [True, False])
def test_a_started_projects_order_without_an_author_goes_on_in_the_name_of_who_approved_it(
    scene: Scene, is_approved: bool
) -> None:
    customer = scene.customer()
    project = scene.project(customer, start_date=TODAY)
    offering = scene.offering(customer, type="OpenStack.Tenant")
    reviewer = scene.user("reviewer@example.org", is_staff=True)
    scene.add(
        marketplace.order,
        type=OrderType.CREATE,
        state=OrderState.PENDING_PROJECT,
        resource_id=scene.resource(project, offering, None, state=ResourceState.CREATING),
        offering_id=offering,
        project_id=project,
        created_by_id=None,
        consumer_reviewed_by_id=reviewer if is_approved else None,
    )
    outcome = run(scene, process_pending_project_orders)
    state = scene.one(marketplace.order).state
    assert state == (OrderState.EXECUTING if is_approved else OrderState.PENDING_PROJECT)
    assert _acting(scene) == ([reviewer] if is_approved else [])
    assert any("nobody can carry it out" in finding.problem for finding in outcome.warnings) is not is_approved


def test_an_order_that_is_given_up_has_ended_and_its_error_has_a_time(scene: Scene) -> None:
    site = Site(scene, -9)
    stale = _waiting(site, type=OrderType.CREATE, state=OrderState.EXECUTING, modified=NOON - timedelta(hours=3))
    run(scene, give_up_stale_orders)
    order = scene.one(marketplace.order, id=stale)
    assert (order.state, order.completed_at, order.error_updated_at) == (OrderState.ERRED, NOON, NOON)
    assert order.output_updated_at is None


@pytest.mark.parametrize("is_nobodys", [True, False])
def test_the_mail_to_the_provider_leads_to_the_page_of_the_order(scene: Scene, is_nobodys: bool) -> None:
    site = Site(scene, 0)
    if is_nobodys:
        _waiting(site, created_by_id=None)
    whole = scene.whole(marketplace.offering)
    with scene.engine.begin() as connection:
        connection.execute(whole.update().values(type="Marketplace.Basic"))
    approver = scene.owner(site.customer, "provider@example.org")
    grant(scene, "CUSTOMER.OWNER", "ORDER.APPROVE")
    scene.add(core.notification, key="marketplace.notify_provider_about_pending_order", enabled=True)
    site.end()
    (order,) = site.orders()
    (mail,) = [row.payload for row in scene.rows(message, kind="mail")]
    assert approver and mail["to"] == ["provider@example.org"]
    assert f"marketplace-order-details/{order.uuid.hex}/" in mail["body"]
    assert ("There is an order for vm" in mail["body"]) is is_nobodys
