"""A RabbitMQ server of a test's own: its folders, ports, node name, cookie and port mapper, beside any other."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kombu import Connection, Exchange, Queue
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from tests.mail_server import free_port

# Debian keeps the script that does not change the user beside Erlang's libraries.
PLACES = f"/usr/lib/rabbitmq/bin{os.pathsep}{os.environ.get('PATH', '')}"
SERVER, PORT_MAPPER = shutil.which("rabbitmq-server", path=PLACES), shutil.which("epmd")
MISSING = None if SERVER and PORT_MAPPER else "no rabbitmq-server is installed"
USER, PASSWORD = "waldur", "geheim-9"


@dataclass
class RabbitMq:
    """``url`` has the password. ``kill`` ends the server at once, ``start`` brings it back with what it kept."""

    folder: Path
    port: int = field(default_factory=free_port)
    _mapper_port: int = field(default_factory=free_port)
    _node: str = field(default_factory=lambda: f"test{secrets.token_hex(4)}@localhost")
    _cookie: str = field(default_factory=lambda: secrets.token_hex(16))
    _queues: set[str] = field(default_factory=set)
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"amqp://{USER}:{PASSWORD}@127.0.0.1:{self.port}//"

    def start(self) -> None:
        assert SERVER is not None and PORT_MAPPER is not None
        cookie = self.folder / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text(self._cookie)
            cookie.chmod(0o400)
        (self.folder / "environment.conf").touch()
        (self.folder / "plugins").write_text("[].")
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\ndefault_user = {USER}\ndefault_pass = {PASSWORD}\n"
        )
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(self._mapper_port),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "environment.conf"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_LOGS": str(self.folder / "rabbit.log"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1",
        }
        mapper = [PORT_MAPPER, "-address", "127.0.0.1", "-port", str(self._mapper_port)]
        for command in (mapper, [SERVER]):
            self._processes.append(
                subprocess.Popen(
                    command,
                    env=environment,
                    cwd=self.folder,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )
        for attempt in Retrying(
            stop=stop_after_delay(60), wait=wait_fixed(0.1), retry=retry_if_exception_type(OSError), reraise=True
        ):
            with attempt, socket.create_connection(("127.0.0.1", self.port), 1):
                pass

    def kill(self) -> None:
        for process in reversed(self._processes):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._processes.clear()

    def freeze(self, *, frozen: bool) -> None:
        """Whether the server is there and does nothing."""
        os.killpg(self._processes[-1].pid, signal.SIGSTOP if frozen else signal.SIGCONT)

    def declare(self, name: str, *, quorum: bool = False, arguments: dict[str, object] | None = None) -> None:
        """A queue as Waldur's workers make it: of 2024, or a quorum queue with a topic exchange."""
        self._queues.add(name)
        exchange = Exchange(name, type="topic" if quorum else "direct", durable=True)
        options = (arguments or {}) | ({"x-queue-type": "quorum"} if quorum else {})
        with Connection(self.url) as connection:
            Queue(name, exchange, routing_key=name, queue_arguments=options)(connection.default_channel).declare()

    def delete(self, name: str) -> None:
        self._queues.discard(name)
        with Connection(self.url) as connection:
            connection.default_channel.queue_delete(name)

    def clear(self) -> None:
        """Delete the queues that were declared."""
        for name in tuple(self._queues):
            self.delete(name)

    def taken(self, name: str) -> list[str]:
        """The first argument of each task that lies in a queue; the tasks are taken out."""
        found = []
        with Connection(self.url) as connection:
            while (message := connection.default_channel.basic_get(name, no_ack=True)) is not None:
                (first, *_), _, _ = json.loads(message.body)
                found.append(first)
        return found

    def queues(self, *names: str) -> list[str]:
        """Those of the names that are queues."""
        found = []
        with Connection(self.url) as connection:
            for name in names:
                with connection.channel() as channel:
                    try:
                        channel.queue_declare(name, passive=True)
                    except connection.channel_errors:
                        continue
                    found.append(name)
        return found


@contextmanager
def rabbitmq() -> Iterator[RabbitMq]:
    """A server that lives as long as the block."""
    with tempfile.TemporaryDirectory(prefix="rabbitmq") as folder:
        server = RabbitMq(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.kill()
