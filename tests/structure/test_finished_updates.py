"""Resources that stay in Updating although their task has ended."""

import traceback
import uuid
from collections.abc import Iterator
from contextlib import closing

import pytest
import redis
from pydantic import SecretStr
from sqlalchemy import URL, create_engine, inspect, select, text
from sqlalchemy.exc import DBAPIError

from tests.result_store import REDIS_SERVER, fill, folder_store, redis_store
from tests.scene import Scene
from tests.statements import counted
from tests.structure.cloud import NOW, Cloud
from waldur_dagster.availability import missing_parts
from waldur_dagster.clients.task_results import ResultStoreUnusable, ResultTable, unusable
from waldur_dagster.demo import server
from waldur_dagster.marketplace.states import OrderState, OrderType, ResourceState
from waldur_dagster.outbox.tables import message
from waldur_dagster.outcome import Outcome
from waldur_dagster.platform.plugin_resources import OK, UPDATING
from waldur_dagster.plugin_operations.finished_updates import reset_updating_resources
from waldur_dagster.schema import logging, marketplace, openstack

ENTRY = "core-reset-updating-resources"
ENDED = {"good": "SUCCESS", "bad": "FAILURE", "stopped": "REVOKED", "runs": "STARTED"}


@pytest.fixture
def cloud(scene: Scene) -> Cloud:
    return Cloud(scene)


@pytest.fixture
def store() -> Iterator[str]:
    with folder_store(ENDED) as url:
        yield url


def run(scene: Scene, store: str, *, dry_run: bool = False) -> tuple[Outcome, int]:
    site = scene.site(dry_run=dry_run, celery={"result_store_url": store})
    with site:
        with site.work(ENTRY, NOW) as work:
            connection = work.connection
        with counted(connection) as statements:
            reset_updating_resources(site.transactions(ENTRY, NOW))
        return site.outcome, len(statements)


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


@pytest.fixture
def results_database(postgresql: URL) -> str:
    """The URL of an empty database for results, as Waldur's CELERY_RESULT_BACKEND names it; its user may write."""
    url = server.create_database(postgresql, f"celery_results_{uuid.uuid4().hex[:8]}")
    return f"db+{url.render_as_string(hide_password=False)}"


def tables_of(store: str) -> list[str]:
    engine = create_engine(store.removeprefix("db+"))
    names = inspect(engine).get_table_names()
    engine.dispose()
    return names


def test_a_database_of_results_is_asked_once_and_remembers_an_hour(cloud: Cloud, results_database: str) -> None:
    fill(results_database, ENDED)
    updating(cloud, *ENDED)
    for name, hours in (("new", 0.9), ("older", 1.1)):
        cloud.volume(UPDATING, task_id=name, name=name, hours=hours)
    outcome, _ = run(cloud.scene, results_database)
    states = {row.name: row.state for row in cloud.scene.rows(openstack.volume)}
    assert [name for name, state in states.items() if state == OK] == ["good", "bad", "stopped"]
    assert [finding.item.split()[1] for finding in outcome.warnings] == ["bad", "stopped", "older"]


def test_nothing_is_made_in_a_database_of_results(cloud: Cloud, results_database: str) -> None:
    updating(cloud, "good")
    with pytest.raises(ResultStoreUnusable, match='relation "celery_taskmeta" does not exist'):
        run(cloud.scene, results_database)
    assert tables_of(results_database) == []
    store = ResultTable(results_database)
    with store._engine.connect() as connection, pytest.raises(DBAPIError, match="read-only transaction"):
        connection.execute(text("CREATE TABLE ours ()"))
    store.close()


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("db+postgresql+psycopg://u:geheim@127.0.0.1:1/celery_results", "Connection refused"),
        ("db+postgresql://u:geheim@127.0.0.1:1/celery_results", "Connection refused"),
        ("redis://:geheim@127.0.0.1:1/0", "does not answer"),
    ],
)
def test_a_store_that_is_down_says_so_in_a_line_without_its_password(cloud: Cloud, address: str, reason: str) -> None:
    assert unusable(SecretStr(address)) is None  # which asks nobody
    updating(cloud, "good")
    with pytest.raises(ResultStoreUnusable, match=reason) as problem:
        run(cloud.scene, address)
    said = "".join(traceback.format_exception(problem.value))
    assert "geheim" not in said and "\n" not in str(problem.value)


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
        ({"result_store_url": "db+nonsense://u:secret@h/d"}, "[celery] result_store_url names no result store"),
    ],
)
def test_an_entry_without_a_usable_store_says_what_it_lacks(scene: Scene, celery: dict, lacking: str) -> None:
    with scene.site(celery=celery) as site:
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
