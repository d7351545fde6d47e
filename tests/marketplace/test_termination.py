"""Terminations: who acts, what is refused, what is written, and how Waldur's workers learn of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from tests.celery_worker import celery_worker
from tests.loopback import serving
from tests.processes import wait_until
from tests.result_store import REDIS_SERVER, redis_store
from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.marketplace.expiry import end_projects, terminate_expired_resources
from waldur_dagster.marketplace.failed_creations import remove_failed_creations
from waldur_dagster.marketplace.pending_orders import process_pending_project_orders
from waldur_dagster.marketplace.states import OrderState, OrderType, ResourceState
from waldur_dagster.marketplace.timeouts import give_up_stale_orders
from waldur_dagster.outbox.delivery import deliver
from waldur_dagster.outbox.tables import message
from waldur_dagster.outcome import Outcome
from waldur_dagster.schema import booking, core, django, invoices, marketplace, permissions, quotas, structure
from waldur_dagster.work import Work

NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)
TODAY = NOON.date()
EXPIRED = "terminate_expired_resources"
ENDED = "terminate_resources_if_project_end_date_has_been_reached"
NEVER_MADE = "terminate_resources_in_state_erred_without_backend_id_and_failed_terminate_order"
ENTRIES: dict[Any, str] = {
    end_projects: ENDED,
    give_up_stale_orders: "mark_resources_as_erred_after_timeout",
    process_pending_project_orders: "process_pending_project_orders",
    remove_failed_creations: NEVER_MADE,
}
SCRIPT = {"language": "shell", "terminate": "true"}


@pytest.fixture
def site_of(scene: Scene) -> Scene:
    return scene


def run(
    scene: Scene,
    do: Callable[[Work], int] = terminate_expired_resources,
    *,
    dry_run: bool = False,
    at: datetime = NOON,
    document: dict[str, Any] | None = None,
) -> Outcome:
    with scene.site(dry_run=dry_run, **(document or {})) as site:
        with site.work(ENTRIES.get(do, EXPIRED), at) as work:
            do(work)
        return site.outcome


def expired(scene: Scene, type: str = "OpenStack.Tenant", name: str = "vm", count: int = 1, **values: Any) -> int:
    """A customer, its project, and resources that end today; returns the id of the last one."""
    customer = scene.customer("Acme")
    offering = scene.offering(customer, type=type, shared=True, billable=True)
    project = scene.project(customer, "Alpha")
    return [
        scene.resource(project, offering, None, f"{name}{n}", **({"end_date": TODAY} | values)) for n in range(count)
    ][-1]


def wants_the_end(scene: Scene, owner: int, provider: int) -> None:
    """Somebody has asked for the end of all resources, which an organization sells."""
    with scene.engine.begin() as connection:
        connection.execute(marketplace.offering.update().values(customer_id=provider))
        connection.execute(marketplace.resource.update().values(end_date_requested_by_id=owner))


def grant(scene: Scene, role: str, *allowed: str) -> None:
    (found,) = scene.rows(permissions.role, name=role)
    for permission in allowed:
        scene.add(permissions.rolepermission, role_id=found.id, permission=permission)


def test_an_inactive_asker_is_passed_over_for_the_projects_and_then_for_the_robot(site_of: Scene) -> None:
    scene = site_of
    resource = expired(scene)
    project = scene.one(marketplace.resource, id=resource).project_id
    customer = scene.one(structure.project, id=project).customer_id
    gone = scene.owner(customer, "gone@example.org", is_active=False)
    stranger = scene.user("stranger@example.org")
    grant(scene, "CUSTOMER.OWNER", "RESOURCE.TERMINATE", "ORDER.APPROVE")
    with scene.engine.begin() as connection:
        connection.execute(marketplace.resource.update().values(end_date_requested_by_id=gone))
        connection.execute(structure.project.update().values(end_date_requested_by_id=stranger))
    run(scene)
    robot = scene.one(core.user, username="system_robot").id
    order = scene.one(marketplace.order)
    assert (order.created_by_id, order.consumer_reviewed_by_id) == (robot, robot)


def test_an_asker_with_the_right_to_end_but_not_to_approve_stays_the_author(site_of: Scene) -> None:
    scene = site_of
    resource = expired(scene)
    customer = scene.one(structure.project).customer_id
    owner = scene.owner(customer, "owner@example.org")
    grant(scene, "CUSTOMER.OWNER", "RESOURCE.TERMINATE")
    provider = scene.customer("Provider")
    wants_the_end(scene, owner, provider)
    run(scene)
    order = scene.one(marketplace.order, resource_id=resource)
    robot = scene.one(core.user, username="system_robot").id
    assert (order.state, order.created_by_id, order.consumer_reviewed_by_id) == (OrderState.EXECUTING, owner, robot)
    assert scene.one(message, kind="handover").payload["args"][1] == f"core.user:{owner}"


def test_a_provider_who_asked_for_the_end_is_passed_over_where_he_does_not_see_the_project(site_of: Scene) -> None:
    scene = site_of
    expired(scene)
    provider = scene.customer("Provider")
    owner = scene.owner(provider, "provider@example.org")
    grant(scene, "CUSTOMER.OWNER", "RESOURCE.TERMINATE", "ORDER.APPROVE")
    wants_the_end(scene, owner, provider)
    run(scene)
    assert scene.one(core.user, id=scene.one(marketplace.order).created_by_id).username == "system_robot"


def test_a_robot_without_its_rights_fails_its_own_resources_only(site_of: Scene) -> None:
    scene = site_of
    resource = expired(scene)
    scene.user("", username="system_robot", is_staff=False)
    outcome = run(scene)
    assert scene.rows(marketplace.order) == []
    assert [scene.one(marketplace.resource, id=resource).name in f.item for f in outcome.failures] == [True]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"customer": {"blocked": True}}, "blocked"),
        ({"customer": {"archived": True}}, "archived"),
        ({"offering": {"type": "Marketplace.Script"}}, "without a script"),
        ({"offering": {"type": "Marketplace.Script", "secret_options": SCRIPT | {"language": "cobol"}}}, "language"),
        (
            {"offering": {"type": "Marketplace.Script", "secret_options": SCRIPT | {"terminate": "x" * 2**21}}},
            "longer than",
        ),
    ],
)
def test_what_waldur_would_refuse_is_reported_and_left_alone(
    site_of: Scene, change: dict[str, dict[str, Any]], word: str
) -> None:
    scene = site_of
    expired(scene)
    tables = {"customer": structure.customer, "offering": marketplace.offering}
    with scene.engine.begin() as connection:
        for name, values in change.items():
            connection.execute(tables[name].update().values(values))
    outcome = run(scene)
    assert scene.rows(marketplace.order) == []
    assert [word in finding.problem for finding in outcome.warnings] == [True]
    assert outcome.failures == []


def test_a_project_starts_by_the_sites_own_day(site_of: Scene) -> None:
    scene = site_of
    expired(scene)
    with scene.engine.begin() as connection:
        connection.execute(structure.project.update().values(start_date=TODAY + timedelta(days=1)))
    run(scene, at=NOON + timedelta(hours=8), document={"time_zone": "Asia/Tokyo"})
    assert scene.one(marketplace.order).state == OrderState.EXECUTING


def test_a_failed_termination_is_tried_again_after_a_day(site_of: Scene) -> None:
    scene = site_of
    resource = scene.one(marketplace.resource, id=expired(scene))
    values = {"resource_id": resource.id, "offering_id": resource.offering_id, "project_id": resource.project_id}
    scene.add(
        marketplace.order,
        **values,
        type=OrderType.TERMINATE,
        state=OrderState.ERRED,
        created_by_id=scene.user("a@example.org"),
        modified=NOON - timedelta(days=1),
    )
    run(scene)
    assert len(scene.rows(marketplace.order)) == 1
    run(scene, at=NOON + timedelta(seconds=1))
    assert len(scene.rows(marketplace.order)) == 2


def test_the_dry_run_reports_what_the_real_run_then_does(site_of: Scene) -> None:
    scene = site_of
    expired(scene, count=3)
    scene.resource(1, scene.offering(1, type="Marketplace.Script", shared=True), None, "bare", end_date=TODAY)
    told = run(scene, dry_run=True)
    assert scene.rows(marketplace.order) == []
    done = run(scene)
    assert told.summary() == done.summary()
    assert told.warnings == done.warnings
    assert done.rows["marketplace_order"]["inserted"] == 3


def test_a_second_run_neither_orders_nor_mails_again(site_of: Scene) -> None:
    scene = site_of
    expired(scene, type="Marketplace.Basic")
    scene.owner(1, "seller@example.org")
    grant(scene, "CUSTOMER.OWNER", "ORDER.APPROVE")
    scene.add(core.notification, key="marketplace.notify_provider_about_pending_order", enabled=True)
    run(scene)
    run(scene)
    mails = scene.rows(message, kind="mail")
    assert [mail.payload["to"] for mail in mails] == [["seller@example.org"]]
    assert [order.state for order in scene.rows(marketplace.order)] == [OrderState.PENDING_PROVIDER]


def test_an_order_that_nobody_can_approve_is_reported(site_of: Scene) -> None:
    scene = site_of
    expired(scene, type="Marketplace.Basic", end_date=None)
    with scene.engine.begin() as connection:
        connection.execute(structure.project.update().values(end_date=TODAY))
    first, second = run(scene, end_projects), run(scene, end_projects)
    for outcome in (first, second):
        assert any("refuses approvals" in finding.problem for finding in outcome.warnings)


def test_ten_times_the_resources_take_the_same_statements(site_of: Scene) -> None:
    scene = site_of
    seen = []
    for count in (3, 30):
        expired(scene, count=count)
        with scene.site() as site, site.work(EXPIRED, NOON) as work:
            with counted(work.connection) as statements:
                terminate_expired_resources(work)
            seen.append(len(statements))
    assert abs(seen[0] - seen[1]) <= 12  # the first run makes the robot
    assert len(scene.rows(marketplace.order)) == 33


def test_orders_of_removed_projects_stay(site_of: Scene) -> None:
    scene = site_of
    resource = scene.one(marketplace.resource, id=expired(scene, end_date=None))
    values = {"resource_id": resource.id, "offering_id": resource.offering_id, "project_id": resource.project_id}
    author = scene.user("a@example.org")
    order = scene.add(marketplace.order, **values, type=1, state=OrderState.PENDING_PROJECT, created_by_id=author)
    with scene.engine.begin() as connection:
        connection.execute(structure.project.update().values(start_date=TODAY, is_removed=True))
    run(scene, process_pending_project_orders)
    assert scene.one(marketplace.order, id=order).state == OrderState.PENDING_PROJECT


def test_stale_orders_are_given_up_after_two_hours(site_of: Scene) -> None:
    scene = site_of
    late = scene.one(marketplace.resource, id=expired(scene, state=1, end_date=None, backend_metadata={"kept": 1}))
    author = scene.user("a@example.org")
    values = {"offering_id": late.offering_id, "project_id": late.project_id, "created_by_id": author, "type": 1}
    in_time = scene.resource(late.project_id, late.offering_id, None, "in time", state=1)
    for resource, age in ((late.id, timedelta(hours=2, seconds=1)), (in_time, timedelta(hours=2))):
        scene.add(marketplace.order, **values, resource_id=resource, state=2, modified=NOON - age)
    run(scene, give_up_stale_orders)
    assert [order.state for order in scene.rows(marketplace.order)] == [OrderState.ERRED, OrderState.EXECUTING]
    erred, untouched = scene.rows(marketplace.resource)
    assert (erred.state, erred.backend_metadata) == (ResourceState.ERRED, {"kept": 1, "state": "Erred"})
    assert untouched.state == ResourceState.CREATING


def test_only_what_has_no_open_order_is_removed_with_all_that_hangs_on_it(site_of: Scene) -> None:
    scene = site_of
    values: dict[str, Any] = {"type": "Marketplace.Slurm", "state": 3, "end_date": None, "backend_id": "", "count": 2}
    kept = expired(scene, **values)
    scene.add(django.content_type, app_label="marketplace", model="robotaccount")
    gone, author = kept - 1, scene.user("a@example.org")
    found = scene.one(marketplace.resource, id=gone)
    for resource in (gone, kept):
        for kind in (OrderType.CREATE, OrderType.TERMINATE):
            scene.add(
                marketplace.order,
                resource_id=resource,
                offering_id=found.offering_id,
                project_id=found.project_id,
                created_by_id=author,
                type=kind,
                state=OrderState.ERRED,
            )
    retry = {"resource_id": kept, "offering_id": found.offering_id, "project_id": found.project_id}
    scene.add(marketplace.order, **retry, created_by_id=author, type=3, state=OrderState.EXECUTING, created=NOON)
    scene.add(booking.bookingslot, resource_id=gone)
    item = scene.item(scene.invoice(1, 2025, 3), 1, resource_id=gone)
    run(scene, remove_failed_creations)
    assert [row.id for row in scene.rows(marketplace.resource)] == [kept]
    assert {order.resource_id for order in scene.rows(marketplace.order)} == {kept}
    assert scene.rows(booking.bookingslot) == []
    assert scene.one(invoices.invoiceitem, id=item).resource_id is None
    assert [row.delta for row in scene.rows(quotas.quotausage, name="order_count")] == [-2]


@dataclass
class ApiServer:
    """Notes the path and the token of every call, and answers with ``status``."""

    url: str = ""
    status: int = 200
    seen: list[tuple[str, str | None]] = field(default_factory=list)

    def answer(self, path: str, *, headers: Message, **_: Any) -> tuple[int, Any]:
        self.seen.append((path, headers["Authorization"]))
        return self.status, {"order_uuid": "0" * 32}


@pytest.fixture
def api() -> Iterator[ApiServer]:
    server = ApiServer()
    with serving({("POST", "(/.*)"): server.answer}) as server.url:
        yield server


def test_with_the_api_waldur_writes_the_order(site_of: Scene, api: ApiServer) -> None:
    scene = site_of
    resource = scene.one(marketplace.resource, id=expired(scene))
    document = {"waldur_api": {"url": f"{api.url}/api/", "token": "sesame"}}
    run(scene, document=document)
    run(scene, document=document)
    assert scene.rows(marketplace.order) == []
    deliver(scene.engine, scene.deployment(**document))
    assert api.seen == [(f"/api/marketplace-resources/{resource.uuid.hex}/terminate/", "Token sesame")]
    assert scene.one(message, kind="api_call").state == "delivered"
    assert "sesame" not in json.dumps(scene.one(message, kind="api_call").payload)


@pytest.mark.parametrize(
    ("status", "state"), [(400, "given up"), (409, "given up"), (401, "waiting"), (503, "waiting")]
)
def test_what_waldur_refuses_is_given_up_and_an_outage_is_waited_for(
    site_of: Scene, api: ApiServer, status: int, state: str
) -> None:
    scene = site_of
    expired(scene)
    api.status = status
    document = {"waldur_api": {"url": api.url, "token": "sesame"}}
    run(scene, document=document)
    deliver(scene.engine, scene.deployment(**document))
    row = scene.one(message, kind="api_call")
    assert row.state == state
    assert str(status) in row.last_error


def test_with_the_api_a_started_projects_order_is_approved_through_it(site_of: Scene, api: ApiServer) -> None:
    scene = site_of
    resource = scene.one(marketplace.resource, id=expired(scene, end_date=None))
    values = {"resource_id": resource.id, "offering_id": resource.offering_id, "project_id": resource.project_id}
    author = scene.user("a@example.org")
    scene.add(marketplace.order, **values, type=1, state=OrderState.PENDING_PROJECT, created_by_id=author)
    with scene.engine.begin() as connection:
        connection.execute(structure.project.update().values(start_date=TODAY))
    document = {"waldur_api": {"url": api.url, "token": "sesame"}}
    run(scene, process_pending_project_orders, document=document)
    deliver(scene.engine, scene.deployment(**document))
    order = scene.one(marketplace.order)
    assert order.state == OrderState.PENDING_PROVIDER
    assert [path for path, _ in api.seen] == [f"/api/marketplace-orders/{order.uuid.hex}/approve_by_provider/"]


def test_without_a_broker_the_order_waits_and_the_run_says_so(site_of: Scene) -> None:
    scene = site_of
    expired(scene)
    outcome = run(scene)
    deliver(scene.engine, scene.deployment())
    assert scene.one(message, kind="handover").state == "waiting"
    assert any("[celery]" in finding.problem for finding in outcome.warnings)


@pytest.fixture
def redis_url() -> Iterator[str]:
    """A Redis server of this test alone."""
    with redis_store() as url:
        yield url


@pytest.mark.skipif(REDIS_SERVER is None, reason="no redis-server is installed")
def test_a_real_worker_gets_the_order_from_a_real_broker(site_of: Scene, redis_url: str, tmp_path: Path) -> None:
    scene = site_of
    expired(scene)
    document = {"celery": {"broker_url": redis_url}}
    with celery_worker(redis_url, tmp_path) as notes:
        run(scene, document=document)
        deliver(scene.engine, scene.deployment(**document))
        wait_until(notes.exists)
        order = scene.one(marketplace.order)
        wait_until(lambda: notes.read_text() == f"marketplace.order:{order.id} core.user:{order.created_by_id}\n")
