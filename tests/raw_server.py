"""A TCP server on loopback that misbehaves as a test tells it to."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

# What is done with one connection; it is closed afterwards. What the other side does to it is no error.
Talk = Callable[[socket.socket], None]


@dataclass
class RawServer:
    """``connections``: all that were made so far."""

    port: int
    connections: list[socket.socket] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"


@contextmanager
def raw_server(talk: Talk, tls: ssl.SSLContext | None = None) -> Iterator[RawServer]:
    listening = socket.create_server(("127.0.0.1", 0))
    kept = RawServer(listening.getsockname()[1])

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            talk(tls.wrap_socket(connection, server_side=True) if tls else connection)

    def listen() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                kept.connections.append(connection)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
        for connection in kept.connections:
            connection.close()


def relay(port: int) -> Talk:
    """Says what a server at a port says, and tells it what it is told; ends when either side does."""

    def pump(one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while block := one.recv(2**16):
                other.sendall(block)
        for side in (one, other):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def talk(connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as behind:
            answering = threading.Thread(target=pump, args=(behind, connection), daemon=True)
            answering.start()
            pump(connection, behind)
            answering.join()

    return talk


def silent(connection: socket.socket) -> None:
    """Never says a word."""
    while connection.recv(2**16):
        pass


def smtp(answers: Mapping[str, str | Talk]) -> Talk:
    """An SMTP server that consents to everything, except as ``answers`` say for its verbs.

    Besides SMTP's own verbs there are CONNECT, for the greeting, and END, for what follows the mail. A talk that raises
    OSError ends the connection.
    """
    usual: dict[str, str | Talk] = {"CONNECT": "220 here", "DATA": "354 go on", "QUIT": "221 bye"}
    usual.update(answers)

    def talk(connection: socket.socket) -> None:
        lines = connection.makefile("rb")

        def answer(verb: str) -> None:
            said = usual.get(verb, "250 fine")
            if callable(said):
                said(connection)
            else:
                connection.sendall(f"{said}\r\n".encode())

        answer("CONNECT")
        while line := lines.readline():
            verb = line.split()[0].decode("ascii", "replace").upper()  # or the hello of TLS
            answer(verb)
            if verb == "DATA" and usual["DATA"] == "354 go on":
                while lines.readline() not in {b".\r\n", b""}:
                    pass
                answer("END")

    return talk


def hang_up(connection: socket.socket) -> None:
    raise ConnectionError
