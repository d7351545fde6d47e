"""A RabbitMQ server of a test's own: its folders, ports, node name, cookie and port mapper, beside any other."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from kombu import Connection, Exchange, Queue
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from tests.mail_server import free_port

# Debian keeps the script that does not change the user beside Erlang's libraries.
PLACES = f"/usr/lib/rabbitmq/bin{os.pathsep}{os.environ.get('PATH', '')}"
SERVER, PORT_MAPPER = shutil.which("rabbitmq-server", path=PLACES), shutil.which("epmd")
MISSING = None if SERVER and PORT_MAPPER else "no rabbitmq-server is installed"
USER, PASSWORD = "waldur", "geheim-9"
AGENT_QUEUE: dict[str, object] = {
    "x-message-ttl": 3_600_000,
    "x-max-length": 10_000,
    "x-overflow": "reject-publish-dlx",
    "x-dead-letter-exchange": "",
    "x-dead-letter-routing-key": "waldur.dlq.messages",
}


@dataclass
class RabbitMq:
    """``url`` has the password. ``kill`` ends the server at once, ``start`` brings it back with what it kept.

    With ``virtual_hosts`` it has those beside the usual one, and listens for STOMP too.
    """

    folder: Path
    virtual_hosts: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    stomp_port: int = field(default_factory=free_port)
    _mapper_port: int = field(default_factory=free_port)
    _node: str = field(default_factory=lambda: f"test{secrets.token_hex(4)}@localhost")
    _cookie: str = field(default_factory=lambda: secrets.token_hex(16))
    _queues: set[tuple[str, str]] = field(default_factory=set)
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.url_of("/")

    def url_of(self, virtual_host: str) -> str:
        return f"amqp://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{virtual_host}"

    def start(self) -> None:
        assert SERVER is not None and PORT_MAPPER is not None
        cookie = self.folder / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text(self._cookie)
            cookie.chmod(0o400)
        (self.folder / "environment.conf").touch()
        (self.folder / "plugins").write_text("[rabbitmq_stomp]." if self.virtual_hosts else "[].")
        (self.folder / "rabbitmq.conf").write_text("\n".join(self._configuration()))
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

    def _configuration(self) -> Iterator[str]:
        yield f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
        if not self.virtual_hosts:
            yield f"default_user = {USER}\ndefault_pass = {PASSWORD}\n"
            return
        definitions = self.folder / "definitions.json"
        definitions.write_text(json.dumps(_definitions(("/", *self.virtual_hosts))))
        yield f"load_definitions = {definitions}\nstomp.listeners.tcp.1 = 127.0.0.1:{self.stomp_port}\n"

    def kill(self) -> None:
        for process in reversed(self._processes):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._processes.clear()

    def freeze(self, *, frozen: bool) -> None:
        """Whether the server is there and does nothing; it is not before all its processes stand."""
        server = psutil.Process(self._processes[-1].pid)
        os.killpg(server.pid, signal.SIGSTOP if frozen else signal.SIGCONT)
        while frozen and any(one.status() != psutil.STATUS_STOPPED for one in _of_group(server)):
            time.sleep(0.01)

    def declare(self, name: str, *, quorum: bool = False, arguments: dict[str, object] | None = None) -> None:
        """A queue as Waldur's workers make it: of 2024, or a quorum queue with a topic exchange."""
        self._queues.add(("/", name))
        exchange = Exchange(name, type="topic" if quorum else "direct", durable=True)
        options = (arguments or {}) | ({"x-queue-type": "quorum"} if quorum else {})
        with Connection(self.url) as connection:
            Queue(name, exchange, routing_key=name, queue_arguments=options)(connection.default_channel).declare()

    def declare_for_agent(self, virtual_host: str, name: str, **arguments: object) -> None:
        """A queue as Waldur makes it for a site agent."""
        self._queues.add((virtual_host, name))
        with Connection(self.url_of(virtual_host)) as connection:
            Queue(name, durable=True, queue_arguments=AGENT_QUEUE | arguments)(connection.default_channel).declare()

    def delete(self, name: str, virtual_host: str = "/") -> None:
        self._queues.discard((virtual_host, name))
        with Connection(self.url_of(virtual_host)) as connection:
            connection.default_channel.queue_delete(name)

    def clear(self) -> None:
        """Delete the queues that were declared."""
        for virtual_host, name in tuple(self._queues):
            self.delete(name, virtual_host)

    def taken(self, name: str) -> list[str]:
        """The first argument of each task that lies in a queue; the tasks are taken out."""
        found = []
        with Connection(self.url) as connection:
            while (message := connection.default_channel.basic_get(name, no_ack=True)) is not None:
                (first, *_), _, _ = json.loads(message.body)
                found.append(first)
        return found

    def messages(self, virtual_host: str, name: str) -> list[Any]:
        """The messages that lie in a queue; they are taken out."""
        found = []
        with Connection(self.url_of(virtual_host)) as connection:
            while (message := connection.default_channel.basic_get(name, no_ack=True)) is not None:
                found.append(message)
        return found

    def queues(self, *names: str, virtual_host: str = "/") -> list[str]:
        """Those of the names that are queues."""
        found = []
        with Connection(self.url_of(virtual_host)) as connection:
            for name in names:
                with connection.channel() as channel:
                    try:
                        channel.queue_declare(name, passive=True)
                    except connection.channel_errors:
                        continue
                    found.append(name)
        return found


def _of_group(leader: psutil.Process) -> list[psutil.Process]:
    """A process and those that it has started, as far as a signal to its group reaches them."""
    return [one for one in (leader, *leader.children(recursive=True)) if os.getpgid(one.pid) == leader.pid]


def _definitions(virtual_hosts: Sequence[str]) -> dict[str, object]:
    """The user, and what he may do, in the form in which RabbitMQ reads them at its start."""
    salt = secrets.token_bytes(4)
    digest = base64.b64encode(salt + hashlib.sha256(salt + PASSWORD.encode()).digest()).decode()
    everything = {"user": USER, "configure": ".*", "write": ".*", "read": ".*"}
    return {
        "users": [
            {
                "name": USER,
                "password_hash": digest,
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": "administrator",
            }
        ],
        "vhosts": [{"name": name} for name in virtual_hosts],
        "permissions": [everything | {"vhost": name} for name in virtual_hosts],
    }


@contextmanager
def rabbitmq(virtual_hosts: tuple[str, ...] = ()) -> Iterator[RabbitMq]:
    """A server that lives as long as the block."""
    with tempfile.TemporaryDirectory(prefix="rabbitmq") as folder:
        server = RabbitMq(Path(folder), virtual_hosts)
        try:
            server.start()
            yield server
        finally:
            server.kill()
