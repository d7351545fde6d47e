"""Celery's broker, by which Waldur's own workers are given tasks."""

from __future__ import annotations

from celery import Celery

from waldur_dagster.deployment import Deployment
from waldur_dagster.outbox.messages import Handover
from waldur_dagster.outbox.senders.interface import Down, Misconfigured, Sender

CONNECT_TIMEOUT = 5.0  # seconds


class Broker(Sender):
    """One connection for all hand-overs of a round."""

    def __init__(self, deployment: Deployment):
        self._options = deployment.celery
        self._app: Celery | None = None

    def ready(self, message: Handover) -> None:
        options = self._options
        if options is None or options.broker_url is None:
            raise Misconfigured("no Celery broker is configured ([celery] broker_url); it waits until there is one")
        if self._app is None:
            self._app = Celery(broker=options.broker_url.get_secret_value(), set_as_current=False)
            self._app.conf.broker_connection_timeout = CONNECT_TIMEOUT

    def send(self, message: Handover) -> None:
        assert self._app is not None and self._options is not None
        try:
            self._app.send_task(
                message.task, args=message.args, kwargs=message.kwargs, queue=self._options.queue, retry=False
            )
        except Exception as error:  # kombu's transports raise what their libraries raise
            raise Down(f"Celery's broker: {type(error).__name__}") from None

    def close(self) -> None:
        if self._app is not None:
            self._app.close()
