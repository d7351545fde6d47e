"""One RabbitMQ server for all tests of a process, without a queue at the beginning of each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rabbitmq import MISSING, RabbitMq, rabbitmq


@pytest.fixture(scope="session")
def running_rabbitmq() -> Iterator[RabbitMq]:
    if MISSING:
        pytest.skip(MISSING)
    with rabbitmq() as server:
        yield server


@pytest.fixture
def server(running_rabbitmq: RabbitMq) -> Iterator[RabbitMq]:
    yield running_rabbitmq
    running_rabbitmq.clear()
