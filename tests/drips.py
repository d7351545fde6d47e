"""Servers that say nothing but what is valid, and never come to an end: no read of theirs is ever late."""

from __future__ import annotations

import itertools
import socket
import struct
import time
from collections.abc import Iterable

from tests.raw_server import Talk

PAUSE = 0.05  # seconds
# AMQP 0-9-1: a frame is type, channel, size, payload and an end.
AMQP_END = b"\xce"
AMQP_HEARTBEAT = struct.pack(">BHI", 8, 0, 0) + AMQP_END


def amqp_start() -> bytes:
    """The frame by which a broker begins: connection.start, version 0-9, no properties, PLAIN, en_US."""
    words = b"".join(struct.pack(">I", len(word)) + word for word in (b"", b"PLAIN", b"en_US"))
    payload = struct.pack(">HHBB", 10, 10, 0, 9) + words
    return struct.pack(">BHI", 1, 0, len(payload)) + payload + AMQP_END


def for_ever(piece: bytes) -> Talk:
    """Say the same again and again."""
    return lambda connection: drip(connection, itertools.repeat(piece))


def byte_by_byte(frame: bytes) -> Talk:
    """Say a frame as slowly as bytes can come, then nothing."""

    def talk(connection: socket.socket) -> None:
        drip(connection, (bytes([byte]) for byte in frame))
        while connection.recv(2**16):
            pass

    return talk


def drip(connection: socket.socket, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        connection.sendall(piece)
        time.sleep(PAUSE)
