"""waldur-remote-pull-orders and -erred-orders: an order comes to what it has come to at its remote, once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from tests.lateness import late_answer
from tests.mail_server import free_port
from tests.remote.remote_waldur import TOKEN, RemoteWaldur, dashed, failing, serving_remote, uuid_of
from tests.remote.scenes import NOW, ORDER, RESOURCE, ResellerSite, order
from tests.scene import Scene
from waldur_dagster.outbox.tables import message
from waldur_dagster.outcome import Outcome
from waldur_dagster.remote.orders import pull_erred_orders, pull_orders
from waldur_dagster.schema import logging, marketplace

CREATE, UPDATE, TERMINATE = 1, 2, 3
EXECUTING, DONE, ERRED, CANCELED = 2, 3, 4, 5
ORDERS = "marketplace-orders"


def pull(site: ResellerSite, **options: Any) -> Outcome:
    return site.run(pull_orders, "waldur-remote-pull-orders", by_month=False, **options)


def pull_erred(site: ResellerSite, **options: Any) -> Outcome:
    return site.run(pull_erred_orders, "waldur-remote-pull-erred-orders", by_month=False, **options)


@contextmanager
def one_remote(scene: Scene) -> Iterator[tuple[ResellerSite, RemoteWaldur, int]]:
    site = ResellerSite(scene)
    with serving_remote(RemoteWaldur({ORDERS: []})) as remote:
        yield site, remote, site.offering(remote)


def states(scene: Scene) -> tuple[list[int], list[int]]:
    """Of orders and of resources."""
    return [row.state for row in scene.rows(marketplace.order)], [row.state for row in scene.rows(marketplace.resource)]


def told(scene: Scene) -> list[str]:
    return [row.event_type for row in scene.rows(logging.event)]


def test_a_creation_is_finished_once(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, offering):
        (resource,) = site.resources(offering, period=False, state=1)
        site.change(marketplace.resource, resource, backend_id="")
        id = site.order(resource, CREATE, callback_url="http://127.0.0.1/called")
        remote.objects[ORDERS] = [order(id, "done", resource)]
        pull(site)
        assert dict(pull(site).rows) == {}
        assert sum(remote.calls.values()) == 1
    assert states(scene) == ([DONE], [2])
    assert scene.one(marketplace.resource).backend_id == uuid_of(RESOURCE, resource)
    assert scene.one(marketplace.resourceplanperiod).start == NOW
    assert told(scene).count("marketplace_resource_create_succeeded") == 1
    assert [row.kind for row in scene.rows(message) if "callback" in row.key] == ["webhook"]


@pytest.mark.generation("8")
@pytest.mark.parametrize("state", [1, 7, 8, 9])
def test_a_creation_that_an_earlier_run_has_told_is_closed_whatever_it_waits_for(scene: Scene, state: int) -> None:
    with one_remote(scene) as (site, remote, offering):
        (resource,) = site.resources(offering, state=2)
        remote.objects[ORDERS] = [order(site.order(resource, CREATE, state), "done", resource)]
        pull(site)
    assert states(scene) == ([DONE], [2])
    assert "marketplace_resource_create_succeeded" not in told(scene)


def test_of_several_executing_orders_the_one_that_was_asked_about_is_closed(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, offering):
        (resource,) = site.resources(offering, state=4)
        first = site.order(resource, UPDATE, limits={"cpu": 7})
        second = site.order(resource, UPDATE, limits={"cpu": 9})
        remote.objects[ORDERS] = [order(first, "done"), order(second, "executing")]
        pull(site)
    assert states(scene) == ([DONE, EXECUTING], [2])
    assert scene.one(marketplace.resource).limits == {"cpu": 7}


@pytest.mark.parametrize("state", ["pending-consumer", "pending-provider", "pending-project", "pending-start-date"])
def test_what_waits_at_the_remote_changes_nothing(scene: Scene, state: str) -> None:
    with one_remote(scene) as (site, remote, offering):
        (resource,) = site.resources(offering, state=1)
        remote.objects[ORDERS] = [order(site.order(resource, CREATE, 7), state)]
        outcome = pull(site)
    assert (dict(outcome.rows), outcome.failures) == ({}, [])


def test_a_state_that_is_unknown_is_told_and_changes_nothing(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, offering):
        (resource,) = site.resources(offering, state=1)
        remote.objects[ORDERS] = [order(site.order(resource, CREATE), "hibernating", resource, error_message="x")]
        outcome = pull(site)
    assert dict(outcome.rows) == {}
    assert "'hibernating', which is unknown" in outcome.failures[0].problem


def test_an_order_that_somebody_is_changing_waits_for_the_next_run(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, offering):
        (resource,) = site.resources(offering, state=5)
        id = site.order(resource, TERMINATE)
        remote.objects[ORDERS] = [order(id, "done")]
        other = create_engine(scene.engine.url)
        with other.begin() as connection:
            connection.execute(text(f"SELECT FROM marketplace_order WHERE id = {id} FOR UPDATE"))
            outcome = pull(site)
        assert outcome.figures["orders that are being changed"] == 1
        assert states(scene) == ([EXECUTING], [5])
        pull(site)
    assert states(scene) == ([DONE], [6])


def test_an_order_that_has_ended_while_it_was_asked_for_stays(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, offering):
        (resource,) = site.resources(offering, state=5)
        id = site.order(resource, TERMINATE)
        remote.objects[ORDERS] = [order(id, "done")]

        def end_meanwhile(*_: Any) -> None:
            site.change(marketplace.order, id, state=CANCELED)

        remote.fault = end_meanwhile
        pull(site)
    assert states(scene) == ([CANCELED], [5])
    assert told(scene) == []


def test_a_uuid_that_is_stored_with_dashes_is_no_other_one(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, offering):
        (resource,) = site.resources(offering, state=4)
        id = site.order(resource, UPDATE)
        site.change(marketplace.resource, resource, backend_id=dashed(uuid_of(RESOURCE, resource)))
        site.change(marketplace.order, id, backend_id=dashed(uuid_of(ORDER, id)))
        remote.objects[ORDERS] = [order(id, "executing", resource)]
        outcome = pull(site)
    assert (dict(outcome.rows), outcome.failures) == ({}, [])


def test_what_was_canceled_is_told_in_waldurs_words(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, offering):
        made = site.resources(offering, 3, state=4)
        ids = [site.order(one, kind) for one, kind in zip(made, (CREATE, UPDATE, TERMINATE), strict=True)]
        remote.objects[ORDERS] = [order(id, "canceled", one) for id, one in zip(ids, made, strict=True)]
        pull(site)
    messages = [row.message for row in scene.rows(logging.event) if row.event_type.endswith("_canceled")]
    assert sorted(messages) == [
        "Resource Resource 1 creation has been canceled.",
        "Resource Resource 2 update has canceled.",
        "Resource Resource 3 terminate has canceled.",
    ]


@pytest.mark.generation("8")
def test_a_canceled_order_of_newer_sites_says_when_it_ended(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, offering):
        (first, second) = site.resources(offering, 2, state=5)
        canceled, failed = site.order(first, TERMINATE), site.order(second, TERMINATE)
        remote.objects[ORDERS] = [order(canceled, "rejected"), order(failed, "erred", error_message="No way")]
        pull(site)
    ended, broken = scene.rows(marketplace.order)
    assert (ended.state, ended.completed_at, ended.error_updated_at) == (CANCELED, NOW, None)
    assert (broken.state, broken.completed_at, broken.error_updated_at) == (ERRED, None, NOW)


def test_failed_orders_of_this_and_the_last_month_are_revived(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, offering):
        made = site.resources(offering, 4, state=2)
        dates = [datetime(2025, 2, 1, tzinfo=UTC), datetime(2025, 1, 31, 23, 59, 59, tzinfo=UTC), NOW, NOW]
        ids = [site.order(one, TERMINATE, ERRED, created=at) for one, at in zip(made, dates, strict=True)]
        remote.objects[ORDERS] = [order(id, "executing") for id in ids[:3]] + [order(ids[3], "pending-project")]
        outcome = pull_erred(site)
    assert states(scene) == ([EXECUTING, ERRED, EXECUTING, ERRED], [5, 2, 5, 2])
    assert outcome.failures == []


def test_a_terminated_resource_is_not_revived_by_an_update(scene: Scene) -> None:
    with one_remote(scene) as (site, remote, offering):
        made = site.resources(offering, 3, state=6)
        kinds = (UPDATE, UPDATE, TERMINATE)
        ids = [site.order(one, kind, ERRED) for one, kind in zip(made, kinds, strict=True)]
        remote.objects[ORDERS] = [order(ids[0], "executing"), order(ids[1], "done"), order(ids[2], "executing")]
        pull_erred(site)
    assert states(scene) == ([EXECUTING, DONE, EXECUTING], [6, 6, 5])


FAULTS = {
    "a refused token": failing(ORDERS, 401),
    "forbidden": failing(ORDERS, 403),
    "gone": failing(ORDERS, 404),
    "too busy": failing(ORDERS, 429),
    "broken": failing(ORDERS, 500),
    "junk": failing(ORDERS, 200, b"<html>"),
    "a list": failing(ORDERS, 200, [{"state": "done"}]),
    "another form": failing(ORDERS, 200, {"state": {"name": "done"}}),
    "no answer in time": late_answer,
}


@pytest.mark.parametrize("do", [pull, pull_erred])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_of_three_remotes_one_is_down_one_is_broken_and_one_is_pulled(scene: Scene, do: Any, fault: Any) -> None:
    with one_remote(scene) as (site, broken, offering), serving_remote(RemoteWaldur({ORDERS: []})) as sound:
        down = RemoteWaldur(url=f"http://127.0.0.1:{free_port()}")
        state = EXECUTING if do is pull else ERRED
        offerings = [offering, site.offering(down, "Down"), site.offering(sound, "Sound")]
        made = [site.resources(one, state=5)[0] for one in offerings]
        ids = [site.order(resource, TERMINATE, state, error_message="old") for resource in made]
        broken.objects[ORDERS] = sound.objects[ORDERS] = [order(id, "done") for id in ids]
        broken.fault = fault
        outcome = do(site)
    assert states(scene) == ([state, state, DONE], [5, 5, 6])
    assert [row.error_message for row in scene.rows(marketplace.order)] == ["old", "old", ""]
    assert len(outcome.failures) == 2
    assert TOKEN not in str(outcome)
