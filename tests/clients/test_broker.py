"""Tasks for Waldur's workers, on a real RabbitMQ."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import SecretStr
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from tests.drips import AMQP_HEARTBEAT, amqp_start, byte_by_byte, for_ever
from tests.mail_server import free_port
from tests.rabbitmq import PASSWORD, RabbitMq
from tests.raw_server import Talk, raw_server
from tests.soon import soon
from waldur_dagster.clients import broker as broker_module
from waldur_dagster.clients.broker import (
    Broker,
    BrokerUnreachable,
    BrokerUnusable,
    NotGiven,
    QueueMissing,
    TaskRefused,
    Unconfirmed,
)

PROCESS_ORDER = "waldur_mastermind.marketplace.tasks.process_order"
IN_BACKGROUND = "openstack.TenantPullQuotas"


def broker(url: str | RabbitMq, queue: str | None = None) -> Broker:
    return Broker(SecretStr(url if isinstance(url, str) else url.url), queue)


def give(to: Broker, first: str, task: str = PROCESS_ORDER) -> None:
    to.give(task, [first], {"more": 1}, key=first)


def refused(kind: type[NotGiven], to: Broker, first: str = "x", task: str = PROCESS_ORDER) -> str:
    """The words of a broker that does not take a task."""
    with pytest.raises(kind) as problem:
        give(to, first, task)
    assert PASSWORD not in str(problem.value)
    return str(problem.value)


def test_a_site_of_2024_gets_tasks_into_its_classic_queues(server: RabbitMq) -> None:
    for name in ("tasks", "background"):
        server.declare(name)
    with broker(server) as to:
        give(to, "order")
        give(to, "quotas", IN_BACKGROUND)
    assert (server.taken("tasks"), server.taken("background")) == (["order"], ["quotas"])
    assert server.queues("tasks-durable", "background-durable", "celery") == []


def test_a_newer_site_gets_tasks_into_its_quorum_queues_although_old_ones_were_left(server: RabbitMq) -> None:
    for name in ("tasks-durable", "background-durable"):
        server.declare(name, quorum=True)
    server.declare("tasks")
    with broker(server) as to:
        give(to, "order")
        give(to, "quotas", IN_BACKGROUND)
        assert to.described().endswith("queue tasks-durable, which no worker reads at present")
    assert (server.taken("tasks-durable"), server.taken("background-durable")) == (["order"], ["quotas"])
    assert server.taken("tasks") == []


def test_the_deployment_may_name_a_queue_for_all_tasks(server: RabbitMq) -> None:
    server.declare("special")
    with broker(server, "special") as to:
        give(to, "order")
        give(to, "quotas", IN_BACKGROUND)
    assert server.taken("special") == ["order", "quotas"]
    with broker(server, "typo") as to:
        assert "has no queue typo" in refused(BrokerUnusable, to)


def test_a_queue_that_is_not_there_is_not_made(server: RabbitMq) -> None:
    with broker(server) as to:
        assert "neither a queue tasks-durable nor tasks" in refused(QueueMissing, to)
        server.declare("tasks-durable", quorum=True)
        give(to, "order")  # it is asked again
        assert "no queue background-durable" in refused(QueueMissing, to, task=IN_BACKGROUND)
    assert server.taken("tasks-durable") == ["order"]
    assert server.queues("tasks", "background-durable", "celery") == []


def test_of_a_newer_site_without_its_first_queue_the_others_are_used(server: RabbitMq) -> None:
    server.declare("background-durable", quorum=True)
    server.declare("background")
    with broker(server) as to:
        assert "neither a queue tasks-durable nor tasks" in refused(QueueMissing, to)
        give(to, "quotas", IN_BACKGROUND)
    assert (server.taken("background-durable"), server.taken("background")) == (["quotas"], [])


def test_a_queue_that_goes_away_between_two_tasks_is_noticed(server: RabbitMq) -> None:
    server.declare("tasks-durable", quorum=True)
    server.declare("tasks")
    with broker(server) as to:
        give(to, "first")
        server.delete("tasks-durable")
        assert "no queue tasks-durable any more" in refused(QueueMissing, to)
        assert "no queue tasks-durable" in refused(QueueMissing, to)
    assert server.taken("tasks") == []


def test_a_full_queue_refuses_a_task_and_not_the_broker(server: RabbitMq) -> None:
    server.declare("full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    with broker(server, "full") as to:
        give(to, "first")
        assert "may be full" in refused(TaskRefused, to, "second")
        assert server.taken("full") == ["first"]
        give(to, "third")
    assert server.taken("full") == ["third"]


def test_a_broker_that_is_killed_between_two_tasks_keeps_the_first(server: RabbitMq) -> None:
    server.declare("tasks")
    with broker(server) as to:
        give(to, "first")
        server.kill()
        until_refused(server.port)
        assert "was lost" in refused(NotGiven, to, "second")
        assert "was lost" in refused(BrokerUnreachable, to, "third")
    with broker(server) as to:
        assert "cannot be reached" in refused(BrokerUnreachable, to)
    server.start()
    assert server.taken("tasks") == ["first"]
    with broker(server) as to:
        give(to, "second")
    assert server.taken("tasks") == ["second"]


def until_refused(port: int) -> None:
    """Return when nobody listens any more."""
    attempts = Retrying(stop=stop_after_delay(20), wait=wait_fixed(0.05), retry=retry_if_result(lambda code: code == 0))

    def connected() -> int:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port))

    attempts(connected)


def test_a_broker_that_falls_silent_is_waited_for_once(server: RabbitMq, monkeypatch: pytest.MonkeyPatch) -> None:
    server.declare("tasks")
    with broker(server) as to:
        give(to, "first")
        server.freeze(frozen=True)
        monkeypatch.setattr(broker_module, "ANSWER_TIMEOUT", 1.0)
        try:
            with pytest.raises(Unconfirmed, match="did not confirm within 1 seconds; perhaps") as problem:
                give(to, "second")
            assert problem.value.slow
            refused(BrokerUnreachable, to, "third")
        finally:
            server.freeze(frozen=False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda url: url.replace(PASSWORD, f"{PASSWORD}-wrong"), "does not let this program in: ACCESS_REFUSED"),
        (lambda url: f"{url}nowhere", "does not let this program in: NOT_ALLOWED - vhost /nowhere"),
        (lambda url: url.replace("amqp:", "unheard:"), "broker_url names no broker"),
    ],
)
def test_an_address_that_cannot_work_is_told_apart_from_a_broker_that_is_down(
    server: RabbitMq, change: Any, said: str
) -> None:
    with broker(change(server.url)) as to:
        assert said in refused(BrokerUnusable, to)


def test_of_several_brokers_the_first_that_is_there_is_taken(server: RabbitMq) -> None:
    server.declare("tasks")
    with broker(f"amqp://u:{PASSWORD}@127.0.0.1:{free_port()}//;{server.url}") as to:
        give(to, "order")
    assert server.taken("tasks") == ["order"]


@contextmanager
def hanging_up() -> Iterator[tuple[int, list[int]]]:
    """A port whose server ends each connection at once, and the connections that it had."""
    had: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    client, address = listener.accept()
                except OSError:
                    return
                had.append(address[1])
                client.close()

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1], had
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("scheme", ["amqp", "redis"])
def test_a_broker_that_does_not_answer_is_tried_once_a_round(scheme: str) -> None:
    with hanging_up() as (port, had), broker(f"{scheme}://:{PASSWORD}@127.0.0.1:{port}/0") as to:
        for _ in range(3):
            assert f"127.0.0.1:{port} cannot be reached" in refused(BrokerUnreachable, to)
        assert len(had) == 1


@pytest.mark.parametrize(("scheme", "begin"), [("amqp", b"\x01\x00\x00\x00\x00\xff\xff"), ("redis", b"+")])
def test_a_broker_that_drips_junk_keeps_nobody_waiting(
    scheme: str, begin: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CONNECT_TIMEOUT", "ANSWER_TIMEOUT"):
        monkeypatch.setattr(broker_module, name, 1.0)

    def drip(connection: socket.socket) -> None:
        connection.sendall(begin)
        while True:
            connection.sendall(b"a")
            time.sleep(0.05)

    with raw_server(drip) as server, broker(f"{scheme}://:{PASSWORD}@127.0.0.1:{server.port}/0") as to:
        with soon():
            told = refused(BrokerUnreachable, to)
            refused(BrokerUnreachable, to)
        assert scheme == "amqp" or "does not answer within 2 seconds" in told  # amqp has limits of its own on frames


@pytest.mark.parametrize(
    "talk",
    [for_ever(AMQP_HEARTBEAT), for_ever(amqp_start()), byte_by_byte(amqp_start())],
    ids=["heartbeats", "its beginning for ever", "one byte at a time"],
)
def test_a_broker_that_says_only_what_is_valid_and_never_comes_to_an_end_keeps_nobody_waiting(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CONNECT_TIMEOUT", "ANSWER_TIMEOUT"):
        monkeypatch.setattr(broker_module, name, 0.5)
    with raw_server(talk) as server, broker(f"amqp://w:{PASSWORD}@127.0.0.1:{server.port}/") as to:
        with soon():
            refused(BrokerUnreachable, to)
            refused(BrokerUnreachable, to)
        assert len(server.connections) == 1
