"""Celery's broker, by which Waldur's own workers are given tasks."""

from __future__ import annotations

from waldur_dagster.clients.broker import Broker, BrokerUnreachable, BrokerUnusable, NotGiven, QueueMissing, Unconfirmed
from waldur_dagster.deployment import Deployment
from waldur_dagster.outbox.messages import Handover
from waldur_dagster.outbox.senders.interface import (
    Down,
    Misconfigured,
    NoPlace,
    NotDelivered,
    Postponed,
    Sender,
    UnknownFate,
)


class Handovers(Sender):
    """One connection for all hand-overs of a round."""

    def __init__(self, deployment: Deployment, _: object = None):
        options = deployment.celery
        self._broker = Broker(options.broker_url, options.queue) if options and options.broker_url else None

    def ready(self, message: Handover) -> None:
        if self._broker is None:
            raise Misconfigured("no Celery broker is configured ([celery] broker_url); it waits until there is one")
        try:
            self._broker.ready(message.task)
        except NotGiven as problem:
            raise _meaning(problem) from None

    def send(self, message: Handover) -> None:
        assert self._broker is not None
        try:
            self._broker.give(message.task, message.args, message.kwargs, key=message.key)
        except NotGiven as problem:
            raise _meaning(problem) from None

    def close(self) -> None:
        if self._broker is not None:
            self._broker.close()


def _meaning(problem: NotGiven) -> NotDelivered:
    match problem:
        case BrokerUnreachable():
            return Down(str(problem))
        case BrokerUnusable():
            return Misconfigured(str(problem))
        case QueueMissing():
            return NoPlace(str(problem))
        case Unconfirmed(slow=slow):
            return UnknownFate(str(problem), slow=slow)
    return Postponed(str(problem))
