"""Celery's broker, by which Waldur's own workers are given tasks (spec newer 0.2, newer_billing 5.5).

RabbitMQ is asked for its queues and never told of any: a queue that is declared here with other arguments than the
workers' would be refused, and one that only this program knows would never be read. A task counts as given when
RabbitMQ has confirmed that it lies in the queue. Celery and its transports are imported when they are used.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from waldur_dagster.clients.celery_queues import Lane, lane_of
from waldur_dagster.clients.closing import Closing
from waldur_dagster.clients.deadline import within

CONNECT_TIMEOUT, ANSWER_TIMEOUT = 5.0, 10.0  # seconds
NO_ROUTE = 312  # AMQP's answer to a message that fits no queue


class NotGiven(Exception):
    """A task was not given to Waldur's workers, or perhaps not; the text says why, without a password."""


class BrokerUnreachable(NotGiven):
    """There is no broker, or it is lost, or it does not answer; it certainly has not taken the task."""


class BrokerUnusable(NotGiven):
    """The broker does not let this program in, or has no queue that Waldur's workers read."""


class QueueMissing(NotGiven):
    """The queue of this task is not there; tasks of other queues can be given."""


class TaskRefused(NotGiven):
    """The broker does not take this task, and may take others."""


class Unconfirmed(NotGiven):
    """The broker was given the task and has not said what became of it. ``slow``: it is there, but did not answer."""

    def __init__(self, reason: str, *, slow: bool):
        super().__init__(reason)
        self.slow = slow


class Broker(Closing):
    """One connection for all tasks of a round; a context manager.

    One attempt is made to connect. A broker that cannot be reached, or that was lost, is not asked again: many tasks
    would wait for it. ``queue`` takes all tasks in the place of the queues that Waldur's settings name.
    """

    def __init__(self, url: SecretStr, queue: str | None = None):
        self._url, self._queue = url.get_secret_value(), queue
        self._parts = [urlsplit(url) for url in self._url.split(";")]  # several are tried one after the other
        self._is_rabbitmq = self._url.startswith(("amqp", "pyamqp"))
        self._app: Any = None
        self._connection: Any = None
        self._channel: Any = None
        self._gone: BrokerUnreachable | BrokerUnusable | None = None
        self._durable: bool | None = None
        self._consumers: dict[str, int] = {}

    def ready(self, task: str) -> str:
        """Connect, and find the queue of a task; nothing of the task is sent. Returns the queue's name.

        Raises BrokerUnreachable, BrokerUnusable and QueueMissing.
        """
        if self._gone is not None:
            raise self._gone
        seconds = CONNECT_TIMEOUT * len(self._parts) + ANSWER_TIMEOUT
        try:
            return within(seconds, lambda: self._ready(task))
        except TimeoutError:
            self._leave()
            self._gone = BrokerUnreachable(f"{self} does not answer within {seconds:g} seconds")
            raise self._gone from None

    def _ready(self, task: str) -> str:
        if self._connection is None:
            self._connect()
        elif self._is_rabbitmq:
            self._notice_loss()
        name = self._queue_of(lane_of(task))
        if self._is_rabbitmq and name not in self._consumers and not self._finds(name):
            missing = QueueMissing if self._queue is None else BrokerUnusable  # the deployment's takes all tasks
            raise missing(f"{self} has no queue {name}; Waldur's workers make it when they start")
        self._open_channel()
        return name

    def give(self, task: str, args: Sequence[Any], kwargs: Mapping[str, Any], *, key: str) -> None:
        """Put a task into its queue, and wait until the broker says that it lies there. Raises NotGiven.

        The task's id follows from ``key``: one that is given again, since nobody knew what became of it, can be told.
        """
        from kombu import Exchange, Producer, Queue

        name = self.ready(task)
        queue: Any = name
        options: dict[str, Any] = {}
        if self._is_rabbitmq:  # past all exchanges: by its name each queue can be reached directly
            queue = Queue(name, Exchange(name), routing_key=name, no_declare=True)
            options = {"mandatory": True, "confirm_timeout": ANSWER_TIMEOUT}
        send = partial(
            self._app.send_task,
            task,
            args=list(args),
            kwargs=dict(kwargs),
            task_id=str(uuid.uuid5(uuid.NAMESPACE_OID, key)),
            queue=queue,
            producer=Producer(self._channel, auto_declare=False),
            retry=False,
            **options,
        )
        try:
            within(2 * ANSWER_TIMEOUT, send)
        except Exception as error:  # each transport raises what its library raises
            raise self._not_given(error, name) from None

    def described(self) -> str:
        """Where tasks go, for people: address and queue, and whether anybody reads it. Raises NotGiven."""
        name = self.ready("")
        read = "" if not self._is_rabbitmq or self._consumers[name] else ", which no worker reads at present"
        return f"{self._address}, queue {name}{read}"

    def __str__(self) -> str:
        return f"Celery's broker at {self._address}"

    @property
    def _address(self) -> str:
        return " or ".join(part.netloc.rpartition("@")[2] or part.scheme for part in self._parts)

    def _connect(self) -> None:
        from celery import Celery

        self._app = Celery(broker=self._url, set_as_current=False)
        self._app.conf.update(
            broker_connection_timeout=CONNECT_TIMEOUT,
            broker_heartbeat=0,
            broker_transport_options=self._transport_options(),
            # Certificates are verified for the host of the URL, which the transport by itself leaves out.
            **({"broker_use_ssl": {"server_hostname": None}} if self._url.startswith("amqps") else {}),
        )
        try:
            self._connection = self._app.connection_for_write()
            self._connection.ensure_connection(max_retries=len(self._connection.alt or [""]) - 1, interval_start=0)
        except Exception as error:  # each transport raises what its library raises
            self._gone = self._no_connection(error)
            raise self._gone from None

    def _transport_options(self) -> dict[str, Any]:
        if self._is_rabbitmq:
            return {"confirm_publish": True, "read_timeout": ANSWER_TIMEOUT, "write_timeout": ANSWER_TIMEOUT}
        if self._url.startswith("redis"):
            return {"socket_connect_timeout": CONNECT_TIMEOUT, "socket_timeout": ANSWER_TIMEOUT}
        return {}

    def _no_connection(self, error: Exception) -> BrokerUnreachable | BrokerUnusable:
        from amqp.exceptions import AccessRefused, NotAllowed

        cause = _cause(error)
        if isinstance(cause, AccessRefused | NotAllowed) or type(cause).__name__ == "AuthenticationError":
            return BrokerUnusable(f"{self} does not let this program in: {self._words(cause)}")
        if isinstance(cause, KeyError | ImportError | ValueError):
            return BrokerUnusable(f"[celery] broker_url names no broker that can be used here ({type(cause).__name__})")
        return BrokerUnreachable(f"{self} cannot be reached: {self._words(cause)}")

    def _notice_loss(self) -> None:
        """A connection that was closed between two tasks is known as such before the next one is sent."""
        try:
            self._connection.drain_events(timeout=0)
        except TimeoutError:
            pass  # nothing has come, as it should be
        except Exception as error:  # the transport raises what its library raises
            self._gone = BrokerUnreachable(f"{self} was lost: {self._words(_cause(error))}")
            raise self._gone from None

    def _queue_of(self, lane: Lane) -> str:
        if self._queue is not None:
            return self._queue
        if not self._is_rabbitmq:
            return lane.classic
        if self._durable is None:
            self._durable = self._finds(Lane.DEFAULT.durable)
            if not self._durable and not self._finds(Lane.DEFAULT.classic):
                self._durable = None
                if lane is not Lane.DEFAULT and self._finds(lane.durable):  # no site of 2024 has such a queue
                    return lane.durable
                names = f"{Lane.DEFAULT.durable} nor {Lane.DEFAULT.classic}"
                raise QueueMissing(f"{self} has neither a queue {names}; Waldur's workers make it when they start")
        return lane.durable if self._durable else lane.classic

    def _finds(self, name: str) -> bool:
        """Whether RabbitMQ has a queue; asking makes none."""
        from amqp.exceptions import NotFound

        try:
            self._consumers[name] = self._open_channel().queue_declare(name, passive=True).consumer_count
        except NotFound:
            self._drop_channel()
            return False
        except NotGiven:
            raise
        except Exception as error:  # the transport raises what its library raises
            self._gone = BrokerUnreachable(f"{self} does not answer: {self._words(_cause(error))}")
            raise self._gone from None
        return True

    def _not_given(self, error: Exception, name: str) -> NotGiven:
        from amqp.exceptions import AccessRefused, AMQPError, ChannelError, MessageNacked
        from kombu.exceptions import OperationalError

        self._drop_channel()
        cause = _cause(error)
        words = self._words(cause)
        if isinstance(cause, MessageNacked):
            return TaskRefused(f"{self} did not put the task into the queue {name}, which may be full")
        if isinstance(cause, AccessRefused):
            return BrokerUnusable(f"{self} does not let this program write: {words}")
        if isinstance(cause, ChannelError):
            if cause.reply_code != NO_ROUTE:
                return TaskRefused(f"{self} refuses the task: {words}")
            self._consumers.pop(name, None)
            missing = QueueMissing if self._queue is None else BrokerUnusable
            return missing(f"{self} has no queue {name} any more")
        if not isinstance(error, OperationalError | OSError | AMQPError):  # it could not even be written
            return TaskRefused(f"the task cannot be sent as it is: {type(error).__name__}")
        slow = isinstance(cause, TimeoutError)
        did = f"did not confirm within {ANSWER_TIMEOUT:g} seconds" if slow else f"was lost: {words}"
        self._gone = BrokerUnreachable(f"{self} {did}")
        return Unconfirmed(f"{self} {did}; perhaps it has the task", slow=slow)

    def _words(self, error: BaseException) -> str:
        """What happened, in the library's words, without the password of the URL."""
        if isinstance(error, TimeoutError):
            return "no answer in time"
        said = str(getattr(error, "reply_text", None) or error) or type(error).__name__
        for part in self._parts:
            if part.password:
                said = said.replace(unquote(part.password), "***").replace(part.password, "***")
        return said

    def _open_channel(self) -> Any:
        if self._channel is None:
            try:
                self._channel = self._connection.channel()
            except Exception as error:  # the transport raises what its library raises
                self._gone = BrokerUnreachable(f"{self} was lost: {self._words(_cause(error))}")
                raise self._gone from None
        return self._channel

    def _drop_channel(self) -> None:
        """An answer that is still on its way to a channel must not be taken for that to the next task."""
        self._channel = None

    def _leave(self) -> None:
        """A thread may use the connection still, so it is not even closed."""
        self._app = self._connection = self._channel = None

    def close(self) -> None:
        for part in (self._connection, self._app):
            if part is not None:
                with contextlib.suppress(Exception):
                    part.close()


def _cause(error: Exception) -> BaseException:
    """What a transport's library raised; kombu wraps it."""
    return error.__cause__ or error
