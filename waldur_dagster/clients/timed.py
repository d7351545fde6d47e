"""Connections of httpx and requests whose reads end with the attempt that they are made for.

The libraries count from one byte to the next, so an answer that drips, its first line or its headers, would never end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpcore
from httpcore._backends.sync import SyncStream
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from waldur_dagster.clients.deadline import Deadline

_end: ContextVar[float] = ContextVar("end")  # of time.monotonic()


@contextmanager
def ending_after(seconds: float) -> Iterator[None]:
    """Nothing that this thread reads in the block, of connections made here, is waited for longer than this in all."""
    token = _end.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _end.reset(token)


def _left(wanted: float | None) -> float | None:
    """What the library would wait, but not beyond the end; never 0, which would not wait at all."""
    end = _end.get(None)
    if end is None:
        return wanted
    left = max(0.001, end - time.monotonic())
    return left if wanted is None else min(wanted, left)


class TimedBackend(httpcore.SyncBackend):
    """Makes httpcore's connections."""

    def connect_tcp(self, *where: Any, **options: Any) -> httpcore.NetworkStream:
        made = super().connect_tcp(*where, **options)
        assert isinstance(made, SyncStream)
        return _TimedStream(made._sock)


class _TimedStream(SyncStream):
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return super().read(max_bytes, _left(timeout))

    def start_tls(self, *how: Any, **options: Any) -> httpcore.NetworkStream:
        made = super().start_tls(*how, **options)
        return _TimedStream(made._sock) if isinstance(made, SyncStream) else made  # another is TLS within TLS


class _Timed(HTTPConnection):
    """The first line and the headers; what follows is read by whoever asked (``patience``)."""

    def getresponse(self) -> Any:
        seconds = _left(None)
        if seconds is None:
            return super().getresponse()
        with Deadline(seconds) as deadline:
            deadline.watch(self.sock)
            try:
                return super().getresponse()
            finally:  # headers that end with the connection would pass for whole ones
                if deadline.expired:
                    raise TimeoutError(f"no answer within {seconds:g} seconds")


class _TimedTls(_Timed, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Timed


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TimedTls


# For the pool manager of a library that is made of urllib3.
TIMED_POOLS = {"http": _Pool, "https": _TlsPool}
