"""One RabbitMQ server with STOMP for all tests of a process; agents' users have a virtual host each."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator

import pytest
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from tests.rabbitmq import MISSING, RabbitMq, rabbitmq

AGENTS = tuple(uuid.UUID(int=number) for number in range(1, 5))


@pytest.fixture(scope="session")
def running_stomp() -> Iterator[RabbitMq]:
    if MISSING:
        pytest.skip(MISSING)
    with rabbitmq(tuple(agent.hex for agent in AGENTS)) as server:
        until_stomp_answers(server)
        yield server


@pytest.fixture
def stomp(running_stomp: RabbitMq) -> Iterator[RabbitMq]:
    yield running_stomp
    running_stomp.clear()


def until_stomp_answers(server: RabbitMq) -> None:
    attempts = Retrying(
        stop=stop_after_delay(60), wait=wait_fixed(0.1), retry=retry_if_exception_type(OSError), reraise=True
    )
    attempts(lambda: socket.create_connection(("127.0.0.1", server.stomp_port), 1).close())
