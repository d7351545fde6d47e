"""Resources that stay in Updating although their task has ended."""

from collections.abc import Iterator
from contextlib import closing

import pytest
import redis
from sqlalchemy import select

from tests.result_store import REDIS_SERVER, fill, folder_store, redis_store
from tests.scene import Scene
from tests.statements import counted
from tests.structure.cloud import NOW, Cloud
from waldur_dagster.availability import missing_parts
from waldur_dagster.clients.task_results import ResultStoreUnusable
from waldur_dagster.marketplace.states import OrderState, OrderType, ResourceState
from waldur_dagster.outbox.tables import message
from waldur_dagster.outcome import Outcome
from waldur_dagster.platform.plugin_resources import OK, UPDATING
from waldur_dagster.schema import logging, marketplace, openstack
from waldur_dagster.structure.finished_updates import reset_updating_resources

ENTRY = "core-reset-updating-resources"
ENDED = {"good": "SUCCESS", "bad": "FAILURE", "stopped": "REVOKED", "runs": "STARTED"}


@pytest.fixture
def cloud(outbox_scene: Scene) -> Cloud:
    return Cloud(outbox_scene)


@pytest.fixture
def store() -> Iterator[str]:
    with folder_store(ENDED) as url:
        yield url


def run(scene: Scene, store: str, *, dry_run: bool = False) -> tuple[Outcome, int]:
    site = scene.site(dry_run=dry_run, celery={"result_store_url": store})
    with site, site.work(ENTRY, NOW) as work, counted(work.connection) as statements:
        reset_updating_resources(work)
        return work.outcome, len(statements)


def updating(cloud: Cloud, *tasks: str | None) -> None:
    for task in tasks:
        cloud.volume(UPDATING, task_id=task, name=str(task))


def test_ended_tasks_free_their_rows_and_oddities_are_reported(cloud: Cloud, store: str) -> None:
    updating(cloud, *ENDED, "new", "", None)
    cloud.volume(UPDATING, task_id="forgotten", name="forgotten", hours=25)
    outcome, _ = run(cloud.scene, store)
    volumes = {row.name: (row.state, row.task_id) for row in cloud.scene.rows(openstack.volume)}
    assert [volumes[task] for task in ("good", "bad", "stopped")] == [(OK, None)] * 3
    assert [volumes[task][0] for task in ("runs", "new", "", "None", "forgotten")] == [UPDATING] * 5
    assert [finding.item.split()[1] for finding in outcome.warnings] == ["bad", "stopped", "forgotten"]


@pytest.mark.skipif(REDIS_SERVER is None, reason="no redis-server is installed")
def test_redis_is_asked_once_for_all_tasks(cloud: Cloud) -> None:
    with redis_store(password="guess") as url:
        fill(url, {f"task{n}": "SUCCESS" for n in range(20)})
        updating(cloud, *(f"task{n}" for n in range(20)))
        outcome, _ = run(cloud.scene, url)
        with closing(redis.Redis.from_url(url)) as client:
            assert client.info("commandstats")["cmdstat_mget"]["calls"] == 1
    assert outcome.rows["openstack_volume"]["updated"] == 20


def test_a_store_that_does_not_answer_stops_the_job_before_it_writes(cloud: Cloud) -> None:
    updating(cloud, "good")
    with pytest.raises(ResultStoreUnusable, match="does not answer") as problem:
        run(cloud.scene, "redis://:secret@127.0.0.1:1/0")
    assert "secret" not in str(problem.value)
    assert cloud.scene.one(openstack.volume).state == UPDATING


@pytest.mark.parametrize(
    ("celery", "lacking"),
    [
        ({}, "no store of Celery's results is configured ([celery] result_store_url)"),
        ({"result_store_url": "rpc://"}, "[celery] result_store_url is rpc://, which tells results only to"),
        ({"result_store_url": "nonsense://secret"}, "[celery] result_store_url names no result store"),
    ],
)
def test_an_entry_without_a_usable_store_says_what_it_lacks(outbox_scene: Scene, celery: dict, lacking: str) -> None:
    with outbox_scene.site(celery=celery) as site:
        (said,) = missing_parts(site, ENTRY)
    assert said.startswith(lacking) and "secret" not in said


def test_an_update_takes_plan_and_limits_over_with_costs_and_tells_the_team(cloud: Cloud, store: str) -> None:
    scene = cloud.scene
    cpu = scene.component(cloud.offering, "cpu", "limit", name="Cores")
    scene.price(cloud.plan, cpu, 2)
    old = scene.plan(cloud.offering, name="Old")
    volume = cloud.volume(UPDATING, task_id="good")
    bought = cloud.bought(volume, ResourceState.UPDATING, old, limits={"cpu": 1})
    cloud.order(bought, OrderType.UPDATE, plan_id=cloud.plan, limits={"cpu": 4})
    run(scene, store)
    row, order = scene.one(marketplace.resource), scene.one(marketplace.order)
    assert (row.state, row.plan_id, row.limits, row.cost) == (ResourceState.OK, cloud.plan, {"cpu": 4}, 13)
    assert (order.state, order.activated) == (OrderState.DONE, NOW)
    changed = "marketplace_resource_has_been_changed"
    assert [event.event_type for event in scene.rows(logging.event)] == [
        "marketplace_order_completed",
        changed,
        changed,
        changed,
        "marketplace_resource_update_limits_succeeded",
        "marketplace_resource_update_succeeded",
    ]
    shown = [event.context["resource_get_state_display"] for event in scene.rows(logging.event)]
    assert shown == ["Updating"] + ["OK"] * 5
    with scene.engine.connect() as connection:
        planned, limited = connection.scalars(select(message.c.payload).order_by(message.c.id))
    assert "Mia Member" in planned["body"] and "Plan: New (before: Old)" in planned["body"]
    assert "Cores: 1" in limited["body"] and "Cores: 4" in limited["body"]


def test_a_terminated_resource_does_not_come_back(cloud: Cloud, store: str) -> None:
    cloud.bought(cloud.volume(UPDATING, task_id="good"), ResourceState.TERMINATED)
    outcome, _ = run(cloud.scene, store)
    assert cloud.scene.one(marketplace.resource).state == ResourceState.TERMINATED
    assert cloud.scene.rows(logging.event) == []
    assert "is terminated" in outcome.warnings[0].problem


def test_a_dry_run_changes_nothing(cloud: Cloud, store: str) -> None:
    updating(cloud, "good")
    outcome, _ = run(cloud.scene, store, dry_run=True)
    assert outcome.rows["openstack_volume"]["updated"] == 1
    assert cloud.scene.one(openstack.volume).state == UPDATING


def test_the_number_of_statements_does_not_depend_on_the_number_of_rows(cloud: Cloud, store: str) -> None:
    def finished(rows: int) -> None:
        for _ in range(rows):
            cloud.bought(cloud.volume(UPDATING, task_id="good"), ResourceState.UPDATING)

    finished(2)
    _, few = run(cloud.scene, store)
    finished(20)
    assert run(cloud.scene, store)[1] == few
