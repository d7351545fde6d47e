"""Tasks that wait in the outbox, a real RabbitMQ, and a real worker of Celery."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert

from tests.celery_worker import PROCESS_ORDER, celery_worker
from tests.outbox.messages import reasons
from tests.processes import wait_until
from tests.rabbitmq import MISSING, PASSWORD, rabbitmq
from tests.scene import Scene
from waldur_dagster.outbox import delivery, operating
from waldur_dagster.outbox.tables import message

IN_BACKGROUND = "openstack.TenantPullQuotas"


def hand_over(scene: Scene, *orders: str, task: str = PROCESS_ORDER) -> None:
    rows = [
        {
            "key": order,
            "kind": "handover",
            "entry": "e",
            "run_id": "",
            "payload": {"kind": "handover", "task": task, "args": [order, "core.user:1"]},
        }
        for order in orders
    ]
    with scene.engine.begin() as connection:
        connection.execute(insert(message).values(rows))


def states(scene: Scene) -> list[tuple[str, str | None]]:
    return [(row.state, row.last_error) for row in scene.rows(message)]


@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
def test_an_order_waits_until_there_is_a_queue_and_then_reaches_a_worker(scene: Scene, tmp_path: Path) -> None:
    with rabbitmq() as server:
        celery = {"celery": {"broker_url": server.url}}
        hand_over(scene, "marketplace.order:1", "marketplace.order:2")
        delivery.deliver(scene.engine, scene.deployment(**celery))
        assert {state for state, _ in states(scene)} == {"waiting"}
        for _, reason in states(scene):
            assert reason and "neither a queue tasks-durable nor tasks" in reason and PASSWORD not in reason
        assert reasons(scene) == {}  # the broker itself is there
        assert server.queues("tasks", "tasks-durable", "celery") == []
        with celery_worker(server.url, tmp_path, quorum=True) as notes:
            wait_until(lambda: server.queues("tasks-durable") != [])
            operating.retry(scene.engine)
            delivery.deliver(scene.engine, scene.deployment(**celery))
            assert [state for state, _ in states(scene)] == ["delivered", "delivered"]
            wait_until(lambda: notes.exists() and notes.read_text().count("\n") == 2)
    assert notes.read_text() == "marketplace.order:1 core.user:1\nmarketplace.order:2 core.user:1\n"


@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
def test_a_queue_that_is_missing_keeps_only_its_own_messages(scene: Scene) -> None:
    with rabbitmq() as server:
        celery = {"celery": {"broker_url": server.url}}
        server.declare("tasks-durable", quorum=True)
        hand_over(scene, "quotas 1", "quotas 2", task=IN_BACKGROUND)
        hand_over(scene, "order 1", "order 2")
        done = delivery.deliver(scene.engine, scene.deployment(**celery))
        assert (done.sent["handover"], done.not_delivered) == (2, 2)
        assert server.taken("tasks-durable") == ["order 1", "order 2"]
        (told,) = done.findings()
        assert told.startswith("2 wait") and "no queue background-durable" in told
        assert reasons(scene) == {}
        kept = [row for row in scene.rows(message) if row.state == "waiting"]
        assert [(row.key, row.attempts) for row in kept] == [("quotas 1", 0), ("quotas 2", 0)]
        assert all("no queue background-durable" in (row.last_error or "") for row in kept)
        server.declare("background-durable", quorum=True)
        operating.retry(scene.engine)
        delivery.deliver(scene.engine, scene.deployment(**celery))
        assert server.taken("background-durable") == ["quotas 1", "quotas 2"]
