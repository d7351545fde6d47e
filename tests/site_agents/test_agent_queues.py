"""Messages by STOMP to a real RabbitMQ: what it takes, refuses, and does not have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.mail_server import free_port
from tests.rabbitmq import PASSWORD, USER, RabbitMq
from tests.raw_server import hang_up, raw_server, silent
from tests.site_agents.conftest import AGENTS, until_stomp_answers
from waldur_dagster.clients import agent_queues
from waldur_dagster.clients.agent_queues import Queues, Reach, Server, VirtualHost
from waldur_dagster.clients.failures import ItemFailed, LoginRefused, SystemFailed, VisitFailed

VHOST = AGENTS[0].hex


@pytest.fixture
def server(stomp: RabbitMq) -> Server:
    return Server("127.0.0.1", stomp.stomp_port, USER, PASSWORD, stomp.port)


@pytest.fixture
def host(server: Server) -> Iterator[VirtualHost]:
    with VirtualHost(server, VHOST) as opened:
        yield opened


def test_messages_arrive_in_a_queue_that_is_there(stomp: RabbitMq, host: VirtualHost) -> None:
    stomp.declare_for_agent(VHOST, "orders")
    for body in ('{"a": "ä"}', "{}"):
        host.send("/amq/queue/orders", body, {"x-message-id": "m1"})
    first, second = stomp.messages(VHOST, "orders")
    assert [bytes(first.body), bytes(second.body)] == ['{"a": "ä"}'.encode(), b"{}"]
    assert first.properties["delivery_mode"] == 2 and first.properties["content_type"] == "application/json"
    assert first.properties["application_headers"]["x-message-id"] == "m1"


def test_queues_are_looked_for_and_not_made(stomp: RabbitMq, server: Server, host: VirtualHost) -> None:
    stomp.declare_for_agent(VHOST, "there")
    with Queues(server, VHOST) as queues:
        assert [queues.has(name) for name in ("there", "not", "there")] == [True, False, True]
    host.send("/amq/queue/not", "{}", {})  # RabbitMQ says that it has it
    assert stomp.queues("not", virtual_host=VHOST) == []


def test_who_cannot_look_says_why(server: Server) -> None:
    reach = Reach()
    with Queues(replace(server, amqp_port=free_port()), VHOST, reach) as queues:
        assert queues.has("any") is None and "refused" in queues.unknown
    with Queues(server, VHOST, reach) as queues:  # it is not tried for every virtual host
        assert queues.has("any") is None and queues.unknown == reach.lost
    with Queues(server, "nowhere", Reach()) as queues, Queues(server, VHOST) as others:
        assert queues.has("any") is None and "not found" in queues.unknown and others.has("any") is False
    with Queues(replace(server, amqp_port=None), VHOST) as queues:
        assert queues.has("any") is None
    with Queues(replace(server, password="wrong"), VHOST) as queues:
        assert queues.has("any") is None and queues.unknown


@pytest.mark.parametrize(
    ("change", "vhost", "kind", "said"),
    [
        ({}, "nowhere", ItemFailed, "does not open this virtual host"),
        ({"password": f"{PASSWORD}-not"}, VHOST, LoginRefused, "does not let this program in"),
        ({"stomp_port": None}, VHOST, SystemFailed, "cannot be reached"),
        ({"host": "no.such.host.invalid"}, VHOST, SystemFailed, "cannot be reached"),
    ],
)
def test_a_connection_that_is_not_made_is_told_apart(
    server: Server, change: dict[str, object], vhost: str, kind: type[VisitFailed], said: str
) -> None:
    wrong = replace(server, **{key: value or free_port() for key, value in change.items()})  # type: ignore[arg-type]
    with VirtualHost(wrong, vhost) as host, pytest.raises(VisitFailed, match=said) as problem:
        host.connect()
    assert type(problem.value) is kind
    assert PASSWORD not in str(problem.value)


def test_a_message_that_is_refused_leaves_the_next_ones_a_new_connection(stomp: RabbitMq, host: VirtualHost) -> None:
    stomp.declare_for_agent(VHOST, "full", **{"x-max-length": 1})
    stomp.declare_for_agent(VHOST, "free")
    host.send("/amq/queue/full", "1", {})
    with pytest.raises(ItemFailed, match="may be full"):
        host.send("/amq/queue/full", "2", {})
    with pytest.raises(ItemFailed, match="Unknown destination"):
        host.send("/nowhere/x", "3", {})
    host.send("/amq/queue/free", "4", {})
    assert [len(stomp.messages(VHOST, name)) for name in ("full", "free")] == [1, 1]


def test_a_server_that_falls_silent_or_dies_is_not_waited_for_long(
    stomp: RabbitMq, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    stomp.declare_for_agent(VHOST, "kept")
    with VirtualHost(server, VHOST) as host:
        host.send("/amq/queue/kept", "1", {})
        stomp.freeze(frozen=True)
        try:
            with (
                monkeypatch.context() as impatient,
                pytest.raises(SystemFailed, match="did not answer within 1 seconds"),
            ):
                impatient.setattr(agent_queues, "ANSWER_TIMEOUT", 1.0)
                host.send("/amq/queue/kept", "2", {})
        finally:
            stomp.freeze(frozen=False)
        host.send("/amq/queue/kept", "3", {})
        stomp.kill()
        try:
            with pytest.raises(VisitFailed):
                host.send("/amq/queue/kept", "4", {})
            with pytest.raises(SystemFailed, match=r"cannot be reached|hung up"):
                host.connect()
        finally:
            stomp.start()
            until_stomp_answers(stomp)


def test_a_server_that_hangs_up_at_once_is_told_whenever_it_does(server: Server) -> None:
    """Before the library's first word, or after it."""
    with raw_server(hang_up) as rude:
        host = VirtualHost(replace(server, stomp_port=rude.port), VHOST)
        for _ in range(50):
            with pytest.raises(SystemFailed, match="hung up"):
                host.connect()


def test_what_is_no_rabbitmq_is_given_up_in_time(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_queues, "ANSWER_TIMEOUT", 0.5)
    with raw_server(silent) as mute:
        host = VirtualHost(replace(server, stomp_port=mute.port), VHOST)
        with pytest.raises(SystemFailed, match="did not answer"):
            host.connect()
