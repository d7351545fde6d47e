"""RabbitMQ for site agents as it should not be: whatever is said without end, and however slowly, nobody waits long."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.drips import AMQP_HEARTBEAT, amqp_start, byte_by_byte, drip, for_ever
from tests.raw_server import Talk, raw_server, silent
from tests.soon import soon
from tests.stomp_server import CONNECTED, frames, serving_stomp
from waldur_dagster.clients import agent_queues
from waldur_dagster.clients.agent_queues import Queues, Reach, Server, VirtualHost
from waldur_dagster.clients.failures import SystemFailed, VisitFailed

PASSWORD = "geheim-3"
OTHER_RECEIPT = b"RECEIPT\nreceipt-id:another\n\n\0"
DRIPS: dict[str, Talk] = {
    "one byte at a time": byte_by_byte(CONNECTED),
    "heartbeats": for_ever(b"\n"),
    "frames about something else": for_ever(OTHER_RECEIPT),
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_queues, "CONNECT_TIMEOUT", 1.5)
    monkeypatch.setattr(agent_queues, "ANSWER_TIMEOUT", 1.5)


def at(port: int, amqp_port: int | None = None) -> Server:
    return Server("127.0.0.1", port, "waldur", PASSWORD, amqp_port)


@pytest.mark.parametrize("talk", DRIPS.values(), ids=DRIPS)
def test_a_server_that_never_lets_in_is_given_up(talk: Talk) -> None:
    with raw_server(talk) as server, soon(), pytest.raises(SystemFailed, match=r"did not answer within 1\.5 seconds"):
        VirtualHost(at(server.port), "v").connect()


@pytest.mark.parametrize("pieces", [b"\n", OTHER_RECEIPT])
def test_a_server_that_lets_in_and_never_takes_a_message_is_given_up(pieces: bytes) -> None:
    def say(connection: socket.socket, frame: bytes) -> None:
        if frame == CONNECTED:
            connection.sendall(frame)
        else:
            drip(connection, itertools.repeat(pieces))

    with serving_stomp(say) as server, VirtualHost(at(server.port), "v") as host:
        host.connect()
        with soon(), pytest.raises(SystemFailed, match="did not answer"):
            host.send("/queue/q", "{}", {})


def test_a_server_that_reads_nothing_keeps_nobody_who_sends() -> None:
    def talk(connection: socket.socket) -> None:
        next(frames(connection))
        connection.sendall(CONNECTED)
        time.sleep(30)

    with raw_server(talk) as server, VirtualHost(at(server.port), "v") as host:
        host.connect()
        with soon(), pytest.raises(SystemFailed, match="was lost"):
            host.send("/queue/q", "x" * 2**25, {})


def test_of_an_answer_without_end_no_more_is_read_than_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_queues, "ANSWER_TIMEOUT", 20.0)
    sent = [0]

    def talk(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"a" * 2**16)
            sent[0] += 2**16

    with raw_server(talk) as server, soon(), pytest.raises(VisitFailed, match="hung up"):
        VirtualHost(at(server.port), "v").connect()
    assert sent[0] < 2**25  # what the sockets hold is among it


AMQP: dict[str, Callable[[], Talk]] = {
    "one byte at a time": lambda: byte_by_byte(amqp_start()),
    "heartbeats": lambda: for_ever(AMQP_HEARTBEAT),
    "the beginning for ever": lambda: for_ever(amqp_start()),
    "silent": lambda: silent,
}


@pytest.mark.parametrize("make", AMQP.values(), ids=AMQP)
def test_queues_that_nobody_can_tell_are_unknown_to_all_and_asked_for_once(make: Callable[[], Talk]) -> None:
    reach = Reach()
    with raw_server(make()) as server:
        with soon(), Queues(at(1, server.port), "v", reach) as queues:
            assert queues.has("q") is None
            assert queues.unknown and PASSWORD not in queues.unknown
        with Queues(at(1, server.port), "w", reach) as others:
            assert others.has("q") is None
        assert len(server.connections) == 1


def test_good_bye_is_not_waited_for_either() -> None:
    class Connection:
        def close(self) -> None:
            time.sleep(30)

    queues: Any = Queues(at(1, 1), "v")
    queues._connection = Connection()
    with soon():
        queues.close()
