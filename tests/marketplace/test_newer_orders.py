"""Orders on newer sites: terminate orders that wait, in whose name they are, and what is kept of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.marketplace.test_days_of_grace import NOON, TODAY, Site
from tests.marketplace.test_termination import grant, run, wants_the_end
from tests.scene import Scene
from waldur_dagster.marketplace.expiry import terminate_expired_resources
from waldur_dagster.marketplace.pending_orders import process_pending_project_orders
from waldur_dagster.marketplace.states import OrderState, OrderType, ResourceState
from waldur_dagster.marketplace.timeouts import give_up_stale_orders
from waldur_dagster.outbox.tables import message
from waldur_dagster.schema import core, marketplace

pytestmark = pytest.mark.generation("8")


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
    wants_the_end(scene, owner, provider)
    site.end()
    (order,) = site.orders()
    assert (order.created_by_id, order.state) == (owner, OrderState.EXECUTING)
    assert _acting(scene) == [scene.one(core.user, username="system_robot").id]


def test_a_provider_who_asked_for_the_end_acts_though_he_does_not_see_the_project(scene: Scene) -> None:
    site = Site(scene, 0)
    provider = scene.customer("Provider")
    owner = scene.owner(provider, "provider@example.org")
    grant(scene, "CUSTOMER.OWNER", "RESOURCE.TERMINATE", "ORDER.APPROVE")
    wants_the_end(scene, owner, provider)
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
