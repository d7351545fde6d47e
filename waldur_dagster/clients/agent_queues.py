"""RabbitMQ's queues of site agents: messages go there by STOMP 1.2, through stomp.py (spec people, sync-resources).

A receipt says that RabbitMQ has the message, and says so of a queue that is not there as well; so queues are looked for
by AMQP, which makes none. The libraries are imported when they are used.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from waldur_dagster.clients.closing import Closing
from waldur_dagster.clients.deadline import Deadline, within
from waldur_dagster.clients.failures import ItemFailed, LoginRefused, SystemFailed, VisitFailed, without_secrets

CONNECT_TIMEOUT, ANSWER_TIMEOUT = 5.0, 10.0  # seconds
LARGEST_ANSWER = 2**20  # bytes
HEADERS = {"persistent": "true", "durable": "true", "auto-delete": "false", "content-type": "application/json"}


@dataclass(frozen=True)
class Server:
    """Where RabbitMQ listens, and this program's user there. Without ``amqp_port`` queues are not looked for."""

    host: str
    stomp_port: int
    user: str
    password: str = field(repr=False)
    amqp_port: int | None = None

    def __str__(self) -> str:
        return f"RabbitMQ at {self.host}:{self.stomp_port}"

    def shown(self, words: object) -> str:
        return without_secrets(" ".join(str(words).split()), [self.password])


class VirtualHost(Closing):
    """One virtual host, with one connection by STOMP; a context manager."""

    def __init__(self, server: Server, name: str):
        self.server, self.name = server, name
        self._connection: Any = None
        self._answers = _Answers()
        self._sent = 0

    def send(self, destination: str, body: str, headers: Mapping[str, str]) -> None:
        """Give RabbitMQ a message, and wait until it says that it has it.

        Raises ItemFailed when it refuses this message or the virtual host, LoginRefused, or SystemFailed.
        """
        if self._connection is None:
            self.connect()
        self._sent += 1
        receipt = f"message-{self._sent}"
        self._answers.begin()
        try:
            with Deadline(ANSWER_TIMEOUT) as deadline:  # a server that takes nothing would keep the sender for ever
                deadline.watch(self._connection.transport.socket)
                self._connection.send(destination, body, headers=HEADERS | dict(headers), receipt=receipt)
        except Exception as error:  # the library raises its own and the socket's
            self._drop()
            raise SystemFailed(f"{self.server} was lost: {self.server.shown(error)}") from None
        self._wait(receipt)

    def connect(self) -> None:
        """Raises LoginRefused, ItemFailed when there is no such virtual host for this program, or SystemFailed."""
        from stomp import Connection12
        from stomp.exception import ConnectFailedException, StompException

        logging.getLogger("stomp.py").setLevel(logging.CRITICAL)  # it has a line for each frame of junk
        self._answers = _Answers()
        server = self.server
        connection = Connection12(
            [(server.host, server.stomp_port)],
            vhost=self.name,
            timeout=CONNECT_TIMEOUT,
            reconnect_attempts_max=1,
            try_loopback_connect=False,
        )
        connection.set_listener("answers", self._answers)
        # The library keeps whatever comes until a frame ends.
        connection.transport.receive = self._answers.bounded(connection.transport.receive)
        self._connection = connection
        try:
            connection.connect(server.user, server.password)
        except ConnectFailedException as error:
            self._drop()
            raise SystemFailed(f"{server} cannot be reached {server.shown(error)}".rstrip()) from None
        # It took the connection, and was gone before the library's first word: its socket may be None by then.
        except (StompException, OSError, AttributeError):
            self._drop()
            raise SystemFailed(f"{server} hung up") from None
        self._wait(_Answers.CONNECTED)

    def _wait(self, name: str) -> None:
        """Until RabbitMQ has answered. After an error it hangs up; the next message gets a new connection."""
        if self._answers.has(name, ANSWER_TIMEOUT):
            return
        said, lost = self._answers.error, self._answers.lost
        self._drop()
        if said:
            raise self._refused(said, connecting=name == _Answers.CONNECTED)
        if lost and name != _Answers.CONNECTED:  # so it does when a queue is full
            raise ItemFailed(f"{self.server} hung up instead of taking a message; the queue may be full")
        how = "hung up" if lost else f"did not answer within {ANSWER_TIMEOUT:g} seconds"
        raise SystemFailed(f"{self.server} {how}")

    def _refused(self, said: str, *, connecting: bool) -> VisitFailed:
        words = self.server.shown(said)
        if not connecting:
            return ItemFailed(f"{self.server} refuses a message: {words}")
        if "access refused for user" in words.lower():
            return LoginRefused(f"{self.server} does not let this program in: {words}")
        return ItemFailed(f"{self.server} does not open this virtual host: {words}")

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        with contextlib.suppress(Exception):
            connection.transport.disconnect_socket()

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.disconnect("bye")
                self._answers.has("bye", 1.0)
            self._drop()


class _Answers:
    """What RabbitMQ has said on a connection; the library calls it from a thread of its own."""

    CONNECTED = "connected"

    def __init__(self) -> None:
        self.error, self.lost = "", False
        self._receipts: set[str] = set()
        self._changed = threading.Condition()
        self._size = 0

    def begin(self) -> None:
        """Another answer is waited for."""
        self._size = 0

    def bounded(self, receive: Callable[[], bytes | None]) -> Callable[[], bytes | None]:
        """What receives bytes, as long as the answer that is waited for has an end; then as if the server hung up."""

        def receive_some() -> bytes | None:
            block = receive()
            self._size += len(block or b"")
            return block if self._size <= LARGEST_ANSWER else b""

        return receive_some

    def has(self, name: str, seconds: float) -> bool:
        """Wait for a receipt, or for being connected; False when there is an error, or nothing in time."""
        with self._changed:
            self._changed.wait_for(lambda: name in self._receipts or self.error or self.lost, seconds)
            return name in self._receipts

    def on_connected(self, _frame: Any) -> None:
        self._note(self.CONNECTED)

    def on_receipt(self, frame: Any) -> None:
        self._note(frame.headers.get("receipt-id", ""))

    def on_error(self, frame: Any) -> None:
        with self._changed:
            self.error = f"{frame.headers.get('message', '')} {frame.body or ''}".strip() or "an error without words"
            self._changed.notify_all()

    def on_disconnected(self) -> None:
        with self._changed:
            self.lost = True
            self._changed.notify_all()

    def _note(self, name: str) -> None:
        with self._changed:
            self._receipts.add(name)
            self._changed.notify_all()


@dataclass
class Reach:
    """What is known of a server's AMQP port, for all its virtual hosts: ``lost`` says why nobody is there."""

    lost: str = ""


class Queues(Closing):
    """The queues of a virtual host, looked up by AMQP and never made; a context manager.

    A port where nobody answers is tried once for all that share ``reach``.
    """

    def __init__(self, server: Server, virtual_host: str, reach: Reach | None = None):
        self._server, self._name, self._reach = server, virtual_host, reach or Reach()
        self._connection: Any = None
        self.unknown = ""

    def has(self, queue: str) -> bool | None:
        """Whether a queue is there; None when nobody can tell, ``unknown`` says why then."""
        from amqp.exceptions import NotFound

        self.unknown = self.unknown or self._reach.lost
        if self.unknown or self._server.amqp_port is None:
            return None
        try:
            # The library counts from one byte to the next, and whole frames may come for ever.
            within(CONNECT_TIMEOUT + ANSWER_TIMEOUT, partial(self._find, queue))
        except NotFound:
            return False
        except Exception as error:  # the library raises its own and the socket's
            self._leave()
            self.unknown = self._server.shown(f"{type(error).__name__}: {error}")
            if isinstance(error, OSError):
                self._reach.lost = self.unknown
            return None
        return True

    def _find(self, queue: str) -> None:
        if self._connection is None:
            self._connect()
        with self._connection.channel() as channel:
            channel.queue_declare(queue, passive=True)

    def _connect(self) -> None:
        from amqp import Connection

        server = self._server
        self._connection = Connection(
            f"{server.host}:{server.amqp_port}",
            userid=server.user,
            password=server.password,
            virtual_host=self._name,
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=ANSWER_TIMEOUT,
            write_timeout=ANSWER_TIMEOUT,
        )
        self._connection.connect()

    def _leave(self) -> None:
        """What a thread may still wait for on the connection ends with it."""
        connection, self._connection = self._connection, None
        with contextlib.suppress(Exception):
            # Of one that is not open yet the public name would begin to connect again.
            connection._transport.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(Exception):
                within(ANSWER_TIMEOUT, self._connection.close)
            self._leave()
