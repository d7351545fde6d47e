"""The ways in which an outside system can break, as servers on loopback do them."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.mail_server import free_port
from tests.raw_server import Talk, raw_server, silent

PAUSE = 0.05  # seconds between two bytes that drip
HEAD = b"HTTP/1.1 %d Some words\r\nContent-Type: application/json\r\n"


def _asked(connection: socket.socket) -> None:
    """Read what has been asked so far."""
    connection.settimeout(0.3)
    with contextlib.suppress(TimeoutError):
        connection.recv(2**16)
    connection.settimeout(None)


def _dripping(connection: socket.socket) -> None:
    _asked(connection)
    for byte in b"HTTP/1.1 200 " + b"a" * 10**6:  # a line that never ends
        connection.sendall(bytes([byte]))
        time.sleep(PAUSE)


def _dripping_inside(connection: socket.socket) -> None:
    _asked(connection)
    connection.sendall(HEAD % 200 + b"\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(PAUSE)


def _endless(connection: socket.socket) -> None:
    _asked(connection)
    connection.sendall(HEAD % 200 + b"\r\n[")
    while True:
        connection.sendall(b"[1, 2, 3], " * 2**12)


def _reset(connection: socket.socket) -> None:
    _asked(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _junk(connection: socket.socket) -> None:
    _asked(connection)
    connection.sendall(b"\x00\xff\xfe junk \r\n" * 64)


def _says(status: int, body: bytes = b"<html>no</html>", more: bytes = b"") -> Talk:
    def talk(connection: socket.socket) -> None:
        _asked(connection)
        connection.sendall(HEAD % status + more + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    return talk


def _echo(connection: socket.socket) -> None:
    """Says what it was asked, secrets and all."""
    connection.settimeout(0.3)
    asked = bytearray()
    with contextlib.suppress(TimeoutError):
        while block := connection.recv(2**16):
            asked += block
    connection.settimeout(None)
    connection.sendall(HEAD % 400 + b"Content-Length: %d\r\n\r\n" % len(asked) + asked)


OF_ALL: dict[str, Talk] = {
    "silent": silent,
    "dripping": _dripping,
    "endless": _endless,
    "reset": _reset,
    "junk": _junk,
}
OF_WEB: dict[str, Talk] = {
    **{str(status): _says(status) for status in (400, 401, 403, 404, 429, 500, 503)},
    "junk inside": _says(200),
    "dripping inside": _dripping_inside,
    "echo": _echo,
    "redirect": _says(302, more=b"Location: /elsewhere\r\n"),
    "redirect for ever": _says(307, more=b"Location: /\r\n"),
}
OF_MAIL: dict[str, Talk] = {
    "4xx": lambda connection: connection.sendall(b"421 busy\r\n"),
    "5xx": lambda connection: connection.sendall(b"554 no\r\n"),
}
REFUSED = "refused"


@contextmanager
def faulty(fault: str) -> Iterator[int]:
    """The port of a system with a fault of the table."""
    if fault == REFUSED:
        yield free_port()
        return
    with raw_server({**OF_ALL, **OF_WEB, **OF_MAIL}[fault]) as server:
        yield server.port
