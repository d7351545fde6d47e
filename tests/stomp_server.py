"""A small STOMP server on loopback: it lets everybody in and takes every message, in frames as a test wants them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from tests.raw_server import RawServer, raw_server

# Given the connection and a frame, sends it.
Say = Callable[[socket.socket, bytes], None]
CONNECTED = b"CONNECTED\nversion:1.2\nheart-beat:0,0\n\n\0"


def whole(connection: socket.socket, frame: bytes) -> None:
    connection.sendall(frame)


def frames(connection: socket.socket) -> Iterator[bytes]:
    """What the client says, frame by frame."""
    buffer = b""
    while block := connection.recv(2**16):
        *found, buffer = (buffer + block).split(b"\0")
        yield from found


def serving_stomp(say: Say = whole) -> AbstractContextManager[RawServer]:
    def talk(connection: socket.socket) -> None:
        for frame in frames(connection):
            lines = frame.strip().splitlines()
            receipt = next((line.partition(b":")[2] for line in lines if line.startswith(b"receipt:")), b"")
            if lines[0] in (b"CONNECT", b"STOMP"):
                say(connection, CONNECTED)
            elif receipt:
                say(connection, b"RECEIPT\nreceipt-id:%b\n\n\0" % receipt)

    return raw_server(talk)


__all__ = ["CONNECTED", "frames", "serving_stomp", "whole"]
