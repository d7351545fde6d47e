"""waldur-remote-pull-resources: resources become what their remotes have, with the orders that were placed there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.lateness import late_answer
from tests.mail_server import free_port
from tests.remote.remote_waldur import TOKEN, RemoteWaldur, dashed, failing, serving_remote, uuid_of
from tests.remote.scenes import OFFERING, ORDER, RESOURCE, ResellerSite, Reselling, order, remote_resource, reselling
from tests.scene import Scene
from tests.statements import counted
from waldur_dagster.outcome import Outcome
from waldur_dagster.remote.resources import pull_remote_resources
from waldur_dagster.schema import core, logging, marketplace

ORDERS, RESOURCES = "marketplace-orders", "marketplace-resources"
PLACED = "2025-03-05T12:00:00Z"


def pull(site: ResellerSite, **options: Any) -> Outcome:
    return site.run(pull_remote_resources, "waldur-remote-pull-resources", by_month=False, **options)


def one_remote(scene: Scene, count: int = 1) -> Reselling:
    """A remote that says nothing new of its resources."""
    quiet = RemoteWaldur({ORDERS: []})
    return reselling(scene, RESOURCES, remote_resource, count, quiet, attributes={}, options={})


def new_order(number: int, state: str, resource: int, offering: int, **values: Any) -> dict[str, Any]:
    place = {"resource_uuid": uuid_of(RESOURCE, resource), "offering_uuid": uuid_of(OFFERING, offering)}
    return order(number, state, resource) | {"created": PLACED, "type": "Terminate", "limits": {}} | place | values


def states(scene: Scene) -> list[int]:
    return [row.state for row in scene.rows(marketplace.resource)]


@pytest.mark.parametrize("count", [2, 25])
def test_what_the_remote_has_is_copied_once(scene: Scene, count: int) -> None:
    with one_remote(scene, count) as (site, remote, _, made):
        remote.objects[RESOURCES][1] |= {
            "report": [{"header": "Quota", "body": "10 TB"}],
            "attributes": {"name": "a"},
            "options": {"partition": "long"},
            "backend_id": "slurm-77",
            "state": "Erred",
        }
        assert pull(site).failures == []
        assert remote.sent == []  # options that came from the remote are not sent back
        assert dict(pull(site).rows) == {}
    row = scene.one(marketplace.resource, id=made[1])
    assert (row.report, row.attributes) == ([{"header": "Quota", "body": "10 TB"}], {"name": "a"})
    assert (row.options, row.effective_id, row.state) == ({"partition": "long"}, "slurm-77", 3)
    assert [row.event_type for row in scene.rows(logging.event)] == ["marketplace_resource_has_been_changed"] * 3


@pytest.mark.parametrize("count", [2, 25])
def test_orders_that_were_placed_at_the_remote_are_written_down_once(scene: Scene, count: int) -> None:
    with one_remote(scene, count) as (site, remote, offering, made):
        remote.objects[ORDERS] = [
            new_order(1, "pending-provider", made[0], offering, limits={"cpu": 4}),
            new_order(2, "done", made[1], offering, type="Update", consumer_reviewed_at="2025-03-05T12:00:01Z"),
            new_order(3, "done", 9999, offering),
        ]
        pull(site)
        assert remote.sent == []
        assert dict(pull(site).rows) == {}
    open_one, done = sorted(scene.rows(marketplace.order), key=lambda row: row.backend_id)
    robot = scene.one(core.user, username="system_robot").id
    assert (open_one.state, open_one.type, open_one.limits, open_one.plan_id) == (2, 3, {"cpu": 4}, None)
    assert (done.state, done.type, done.backend_id, done.created_by_id) == (3, 2, uuid_of(ORDER, 2), robot)
    assert done.created == datetime(2025, 3, 5, 12, tzinfo=UTC)
    assert [row.state for row in scene.rows(marketplace.resource)] == [2] * count


@pytest.mark.parametrize("count", [1, 25])
def test_an_order_whose_uuid_is_stored_with_dashes_is_known(scene: Scene, count: int) -> None:
    with one_remote(scene, count) as (site, remote, offering, made):
        id = site.order(made[0], 2, state=3)
        site.change(marketplace.order, id, backend_id=dashed(uuid_of(ORDER, id)))
        site.change(marketplace.resource, made[0], backend_id=dashed(uuid_of(RESOURCE, made[0])))
        remote.objects[ORDERS] = [new_order(id, "done", made[0], offering, type="Update")]
        assert (outcome := pull(site)).failures == []
    assert dict(outcome.rows) == {}


def test_an_order_that_became_known_meanwhile_is_not_written_down_again(scene: Scene) -> None:
    """Waldur's worker stores the uuid of an order that it has just sent while the run is asking."""
    with one_remote(scene) as (site, remote, offering, (resource,)):
        remote.objects[ORDERS] = [new_order(7, "executing", resource, offering)]
        own = site.order(resource, 3)
        site.change(marketplace.order, own, backend_id="")

        def store(_: str, path: str, __: dict[str, str]) -> None:
            if path.startswith(f"{ORDERS}/"):
                site.change(marketplace.order, own, backend_id=uuid_of(ORDER, 7))

        remote.fault = store
        pull(site)
    assert [row.id for row in scene.rows(marketplace.order)] == [own]


@pytest.mark.parametrize("count", [1, 25])
def test_an_order_that_has_ended_is_ended_before_its_resource_follows(scene: Scene, count: int) -> None:
    with one_remote(scene, count) as (site, remote, offering, made):
        site.change(marketplace.resource, made[0], state=4)
        id = site.order(made[0], 2, limits={"cpu": 8})
        remote.objects[ORDERS] = [new_order(id, "done", made[0], offering, type="Update")]
        pull(site)
    row = scene.one(marketplace.resource, id=made[0])
    assert (row.state, row.limits) == (2, {"cpu": 8})
    assert scene.one(marketplace.order).state == 3


@pytest.mark.parametrize("count", [1, 25])
def test_an_order_that_has_failed_there_says_why(scene: Scene, count: int) -> None:
    with one_remote(scene, count) as (site, remote, offering, made):
        site.change(marketplace.resource, made[0], state=4)
        id = site.order(made[0], 2)
        failed = new_order(id, "erred", made[0], offering, type="Update", error_message="No space")
        remote.objects[ORDERS] = [failed]
        remote.objects[RESOURCES][0]["state"] = "Erred"
        pull(site)
    row = scene.one(marketplace.order)
    assert (row.state, row.error_message, states(scene)[0]) == (4, "No space", 3)


@pytest.mark.parametrize("status", [403, 500, 503])
def test_an_order_that_cannot_be_read_keeps_nobody_else_waiting(scene: Scene, status: int) -> None:
    with one_remote(scene, 25) as (site, remote, *_, made):
        site.change(marketplace.resource, made[0], state=4)
        site.order(made[0], 2)
        remote.objects[RESOURCES][1]["backend_id"] = "slurm-1"
        remote.fault = failing(f"{ORDERS}/", status)
        outcome = pull(site)
    assert scene.one(marketplace.resource, id=made[1]).effective_id == "slurm-1"
    assert states(scene)[0] == (2 if status == 403 else 4)  # what is refused for good is left to the pull of orders
    assert [one.item.partition(" (")[0] for one in outcome.failures] == ["resource Resource 1"] * (status != 403)


def test_a_remote_that_stops_answering_for_orders_is_down(scene: Scene) -> None:
    with one_remote(scene, 25) as (site, remote, *_, made):
        for one in made:
            site.change(marketplace.resource, one, state=4)
            site.order(one, 2)
        remote.fault = failing(f"{ORDERS}/", 500)
        outcome = pull(site)
    assert len({call for call in remote.calls if f"{ORDERS}/" in call}) == 3
    assert [one.item.partition(" (")[0] for one in outcome.failures] == ["offering Cluster"]


def test_an_unknown_state_is_told_and_the_rest_is_written(scene: Scene) -> None:
    with one_remote(scene, 2) as (site, remote, *_):
        remote.objects[RESOURCES][0] |= {"state": "Hibernating", "backend_id": "x"}
        remote.objects[RESOURCES][1] |= {"backend_id": "y"}
        outcome = pull(site)
    assert [row.effective_id for row in scene.rows(marketplace.resource)] == ["x", "y"]
    assert states(scene) == [2, 2]
    (told,) = outcome.failures
    assert "'Hibernating', which is unknown" in told.problem


def test_fields_that_an_answer_lacks_keep_what_is_here(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, offering, (resource,)):
        site.change(marketplace.resource, resource, options={"a": 1}, report=[1], effective_id="e")
        remote.objects[RESOURCES] = [{"uuid": uuid_of(RESOURCE, resource), "state": "OK"}]
        assert dict(pull(site).rows) == {}
        assert offering


def test_many_resources_are_pulled_by_pages_and_what_the_list_lacks_singly(scene: Scene) -> None:
    with one_remote(scene, 30) as (site, remote, _, made):
        gone = remote.objects[RESOURCES].pop(3)
        outcome = pull(site)
        assert remote.calls[f"GET {RESOURCES}/{gone['uuid']}"] == 1
        assert sum(remote.calls.values()) == 3
    (told,) = outcome.failures
    assert "HTTP 404" in told.problem
    assert states(scene) == [2] * len(made)  # what the remote has deleted is told and kept


def test_statements_do_not_grow_with_resources(scene: Scene, twin_scene: Scene) -> None:
    counts = []
    for one, size in ((scene, 25), (twin_scene, 120)):
        with one_remote(one, size) as (site, remote, offering, made), counted(Engine) as statements:
            remote.objects[ORDERS] = [new_order(n, "done", resource, offering) for n, resource in enumerate(made)]
            for document in remote.objects[RESOURCES]:
                document |= {"state": "Erred", "backend_id": "x", "attributes": {"n": 1}}
            pull(site)
        counts.append(len(statements))
    assert counts[0] == counts[1]


FAULTS = {
    "a refused token": failing("", 401),
    "forbidden": failing("", 403),
    "too busy": failing("", 429),
    "broken": failing(ORDERS, 500, page=2),
    "no orders": failing(ORDERS, 500),
    "junk": failing(RESOURCES, 200, b"<html>"),
    "another form": failing(RESOURCES, 200, [{"uuid": uuid_of(RESOURCE, 1), "state": 7, "attributes": []}]),
    "no answer in time": late_answer,
}


@pytest.mark.parametrize("count", [1, 25])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_of_three_remotes_one_is_down_one_is_broken_and_one_is_pulled(scene: Scene, count: int, fault: Any) -> None:
    with one_remote(scene, count) as (site, broken, offering, made), serving_remote() as sound:
        broken.page_size = 10
        down = RemoteWaldur(url=f"http://127.0.0.1:{free_port()}")
        site.resources(site.offering(down, "Down"))
        of_sound = site.offering(sound, "Sound")
        (good,) = site.resources(of_sound)
        sound.objects |= {ORDERS: [], RESOURCES: [remote_resource(good, of_sound, "Erred")]}
        broken.objects[RESOURCES] = [remote_resource(one, offering, "Erred", backend_id="x") for one in made]
        broken.objects[ORDERS] = [new_order(n, "done", made[0], offering) for n in range(11)]
        broken.fault = fault
        outcome = pull(site)
        assert sum(broken.calls.values()) <= 5 + count
    assert [row.id for row in scene.rows(marketplace.resource, state=3)] == [good]
    assert scene.rows(marketplace.order) == []
    assert {row.effective_id for row in scene.rows(marketplace.resource)} == {""}
    assert TOKEN not in str(outcome)
