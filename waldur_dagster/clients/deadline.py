"""A total time for an exchange with an outside system, whatever the other side does.

Time-outs of sockets count from one byte to the next, so a server that drips bytes never meets them. A deadline ends the
connections themselves, from a thread of its own; whoever waits for one of them gets an error at once.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Self, TypeVar

T = TypeVar("T")


class Deadline:
    """``seconds`` for everything inside the ``with``, for the connections that are watched."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self._ended = False
        self._end = time.monotonic() + seconds
        self._watched: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    @property
    def expired(self) -> bool:
        """Whether time is up, by the clock: on a busy machine a time-out of the socket may come before the timer."""
        return self._ended or time.monotonic() >= self._end

    def remaining(self) -> float:
        """Seconds left. Raises TimeoutError when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            self._expire()
            raise TimeoutError(f"no answer within {self.seconds:g} seconds")
        return left

    def watch(self, connection: socket.socket) -> None:
        """End this connection when time is up, also after it was wrapped into TLS."""
        # Wrapping into TLS takes the descriptor away from the original, so ours is a copy.
        double = socket.socket(fileno=os.dup(connection.fileno()))
        with self._lock:
            if self._ended:
                _end(double)
            else:
                self._watched.append(double)

    def _expire(self) -> None:
        with self._lock:
            self._ended = True
            while self._watched:
                _end(self._watched.pop())

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            while self._watched:
                self._watched.pop().close()


def within(seconds: float, do: Callable[[], T]) -> T:
    """What ``do`` gives, of a library whose connections cannot be watched. Raises what it raises, and TimeoutError.

    What has not ended by then is left to itself, in a thread that keeps no process alive; what it uses must not be
    used again.
    """
    result: Future[T] = Future()

    def call() -> None:
        try:
            result.set_result(do())
        except BaseException as problem:
            result.set_exception(problem)

    threading.Thread(target=call, daemon=True).start()
    if not wait([result], seconds).done:
        raise TimeoutError(f"no answer within {seconds:g} seconds")
    return result.result()


def _end(connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
