"""How long outside systems are waited for: bounded retries, pauses that they ask for, a deadline over all calls.

``PatientTransport`` is for clients that are made of httpx, ``PatientAdapter`` for libraries that are made of requests.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx
import requests
from requests.adapters import HTTPAdapter
from tenacity import RetryCallState, Retrying, retry_if_exception_type, retry_if_result, stop_after_attempt
from tenacity.wait import wait_exponential
from urllib3.exceptions import HTTPError as Urllib3Error

from waldur_dagster.clients.failures import TRIED_AGAIN, ItemFailed, SystemFailed
from waldur_dagster.clients.timed import TIMED_POOLS, TimedBackend, ending_after

TIMEOUT = 20.0  # seconds, for each attempt until its answer begins
ATTEMPTS = 3
LONGEST_PAUSE = 10.0  # seconds
LARGEST_ANSWER = 64 * 2**20  # bytes
LONGEST_ANSWER = 300.0  # seconds, for its body, where nobody has allowed less (``allowing``)
# What a server may have done in spite of its answer is not asked for again.
NOT_DONE = frozenset({429, 503})
REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})

Answer = TypeVar("Answer")
Unreached = type[Exception] | tuple[type[Exception], ...]


@dataclass(frozen=True)
class Allowance:
    """How long the calls of one item may take together, and whether anybody still waits for them."""

    until: float  # of time.monotonic()
    cancelled: threading.Event = field(default_factory=threading.Event)


_allowance: ContextVar[Allowance | None] = ContextVar("allowance", default=None)


@contextmanager
def allowing(seconds: float, cancelled: threading.Event | None = None) -> Iterator[None]:
    """All calls in the block, of patient clients, take no longer than this together."""
    token = _allowance.set(Allowance(time.monotonic() + seconds, cancelled or threading.Event()))
    try:
        yield
    finally:
        _allowance.reset(token)


def time_left() -> float:
    """Seconds that the next attempt may take. Raises SystemFailed when the time is up."""
    allowance = _allowance.get()
    if allowance is None:
        return TIMEOUT
    left = allowance.until - time.monotonic()
    if left <= 0 or allowance.cancelled.is_set():
        raise SystemFailed("it took too long" if left <= 0 else "the run was stopped")
    return min(TIMEOUT, left)


def patient(send: Callable[[], Answer], method: str, unreached: Unreached) -> Answer:
    """Ask, and ask again when the server cannot be reached or says that it is busy; honours ``Retry-After``.

    The last answer is returned, whatever it is (``status_code`` and ``headers`` are looked at). A time-out is not tried
    again: the server may have done it. What changes something is asked again only when it was certainly not done.
    """
    passing = TRIED_AGAIN if method.upper() in REPEATABLE else NOT_DONE
    attempts = Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=_pause,
        sleep=pause,
        retry=retry_if_exception_type(unreached) | retry_if_result(lambda answer: answer.status_code in passing),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    return attempts(send)


def _pause(state: RetryCallState) -> float:
    """What the server asks for, in seconds, but not for ever; else a short pause that grows."""
    if state.outcome is not None and not state.outcome.failed:
        wanted = _seconds(state.outcome.result().headers.get("Retry-After", ""))
        if wanted is not None:
            return min(wanted, LONGEST_PAUSE)
    return float(wait_exponential(multiplier=0.2, max=LONGEST_PAUSE)(state))


def _seconds(wanted: str) -> float | None:
    """``Retry-After`` is a number of seconds or a date."""
    if wanted.isdigit():
        return float(wanted)
    try:
        return max(0.0, (parsedate_to_datetime(wanted) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def pause(seconds: float) -> None:
    """Wait, but no longer than the calls of the item may still take. Raises SystemFailed when the time is up."""
    allowance = _allowance.get()
    if allowance is None:
        time.sleep(seconds)
    else:
        time_left()
        allowance.cancelled.wait(min(seconds, max(0.0, allowance.until - time.monotonic())))


def _bounded(chunks: Iterable[bytes]) -> bytes:
    """A whole body, as long as it comes in time and has an end."""
    body = bytearray()
    end = time.monotonic() + LONGEST_ANSWER
    for chunk in chunks:
        body += chunk
        time_left()
        if time.monotonic() > end:
            raise SystemFailed("it took too long")
        if len(body) > LARGEST_ANSWER:
            raise ItemFailed(f"the answer is larger than {LARGEST_ANSWER // 2**20} MiB")
    return bytes(body)


class PatientTransport(httpx.BaseTransport):
    """For ``httpx.Client(transport=...)``: every request is patient, and its answer is read to the end at once.

    ``unreached`` are the errors after which it is sent again, whatever its method.
    """

    unreached: Unreached = httpx.ConnectError

    def __init__(self, **options: Any):
        self._inner = httpx.HTTPTransport(**options)
        # httpx has no public way to say how connections are made; httpcore, on which it stands, has.
        self._inner._pool._network_backend = TimedBackend()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return patient(lambda: self._once(request), request.method, self.unreached)

    def close(self) -> None:
        self._inner.close()

    def _once(self, request: httpx.Request) -> httpx.Response:
        seconds = time_left()
        request.extensions["timeout"] = httpx.Timeout(seconds).as_dict()
        with ending_after(seconds):
            answer = self._inner.handle_request(request)
        try:
            assert isinstance(answer.stream, httpx.SyncByteStream)
            body = _bounded(answer.stream)
        finally:
            answer.close()
        return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(body))


class PatientAdapter(HTTPAdapter):
    """For ``requests.Session.mount``: as PatientTransport, for libraries that take such a session."""

    def init_poolmanager(self, *sizes: Any, **options: Any) -> None:
        super().init_poolmanager(*sizes, **options)
        self.poolmanager.pool_classes_by_scheme = TIMED_POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = TIMED_POOLS
        return manager

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, stream: bool = False, timeout: Any = None, **options: Any
    ) -> requests.Response:
        return patient(lambda: self._once(request, **options), request.method or "", requests.ConnectionError)

    def _once(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        seconds = time_left()
        try:
            with ending_after(seconds):
                answer = super().send(request, stream=True, timeout=seconds, **options)
        except requests.Timeout as error:  # one of connecting is a ConnectionError too
            raise requests.ReadTimeout(error, request=request) from None
        try:
            answer._content = _bounded(iter(lambda: answer.raw.read1(2**16, decode_content=True), b""))
        except Urllib3Error as error:
            raise requests.ReadTimeout(error, request=request) from None
        finally:
            answer.raw.release_conn()
        answer._content_consumed = True
        return answer
