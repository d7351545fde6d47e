"""Calls of outside systems by HTTP: with a total deadline, bounded reading, and a say in which addresses are called."""

from __future__ import annotations

import functools
import json
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx
from httpcore._backends.sync import SyncStream

from waldur_dagster.clients.addresses import AddressRefused, Network, connect
from waldur_dagster.clients.deadline import Deadline

TIMEOUT = 20.0  # seconds, for a whole exchange
LONGEST_ANSWER = 2**20  # bytes
# Answers by which a server says that another try, or a corrected login, may change its mind.
PASSING_ANSWERS = frozenset({401, 403, 408, 425, 429})


class CallFailed(Exception):
    """There is no answer; the text says why, and may hold the address: show it by ``words.in_words``."""


class NotReached(CallFailed):
    """No connection could be made, so the server has certainly not got the call."""


class Forbidden(NotReached):
    """The address must not be called: inside the deployment's networks, or no address of the web at all."""


class NoAnswer(CallFailed):
    """The server may have got the call; ``slow`` when it took longer than it had."""

    def __init__(self, reason: str, *, slow: bool = False):
        super().__init__(reason)
        self.slow = slow


@dataclass(frozen=True)
class Answer:
    """A status, headers, and at most as much of the body as was asked for."""

    status: int
    headers: httpx.Headers
    body: bytes = b""

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_refusal(self) -> bool:
        """Whether another try cannot help."""
        return 400 <= self.status < 500 and self.status not in PASSING_ANSWERS

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    def json(self) -> Any:
        """What the body says. Raises ValueError."""
        return json.loads(self.body)


def get(
    url: str,
    *,
    seconds: float | None = None,
    read: int = LONGEST_ANSWER,
    verify: bool = True,
    permitted: Sequence[Network] | None = None,
) -> Answer:
    """GET once, without credentials; everything else is as for ``post``."""
    return _ask("GET", url, seconds=seconds, read=read, verify=verify, permitted=permitted)


def post(
    url: str,
    *,
    seconds: float | None = None,
    read: int = LONGEST_ANSWER,
    verify: bool = True,
    permitted: Sequence[Network] | None = None,
    **request: Any,
) -> Answer:
    """POST once, on a connection of its own; redirects are answers. Raises CallFailed.

    ``seconds``: for the whole exchange, TIMEOUT by default. ``read``: bytes of the answer's body that are wanted;
    packed answers are not asked for and not unpacked. ``permitted``: networks of addresses that may be called besides
    public ones, None for every address; a call so guarded goes to its address itself, never by way of a proxy that the
    environment names. ``request`` is what httpx.Client.build_request takes: json, data, content, headers.
    """
    return _ask("POST", url, seconds=seconds, read=read, verify=verify, permitted=permitted, **request)


def _ask(
    method: str,
    url: str,
    *,
    seconds: float | None,
    read: int,
    verify: bool,
    permitted: Sequence[Network] | None,
    **request: Any,
) -> Answer:
    seconds = TIMEOUT if seconds is None else seconds
    with Deadline(seconds) as deadline, _client(deadline, verify, permitted) as client:
        try:
            call = client.build_request(method, url, **request)
            if call.url.scheme not in {"http", "https"} or not call.url.host:
                raise Forbidden("this is no address of the web")
            call.headers.update({"Accept-Encoding": "identity", "Connection": "close"})
            answer = client.send(call, stream=True)
            try:
                return Answer(answer.status_code, answer.headers, _begin(answer.iter_raw(), read))
            finally:
                answer.close()
        except AddressRefused as error:
            raise Forbidden(str(error)) from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise Forbidden("this is no address of the web") from None
        except (httpx.LocalProtocolError, UnicodeError):  # the library's words show the value
            raise NotReached(
                "the call cannot be written: its address or a header has a sign that is not allowed"
            ) from None
        except (OSError, httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:  # OSError: see _Backend
            if deadline.expired or isinstance(error, (TimeoutError, httpx.TimeoutException)):
                raise NotReached(f"no connection within {round(seconds, 1):g} seconds") from None
            raise NotReached(f"{type(error).__name__}: {error}") from None
        except httpx.HTTPError as error:
            if deadline.expired or isinstance(error, httpx.TimeoutException):
                raise NoAnswer(f"no answer within {round(seconds, 1):g} seconds", slow=True) from None
            raise NoAnswer(_lost(error)) from None


def _lost(error: httpx.HTTPError) -> str:
    """How an exchange ended, without the words of the server."""
    if isinstance(error, httpx.RemoteProtocolError):
        return "it hung up without an answer" if "disconnected" in str(error) else "its answer is not HTTP"
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _begin(blocks: Iterable[bytes], wanted: int) -> bytes:
    body = bytearray()
    if wanted:
        for block in blocks:
            body += block
            if len(body) >= wanted:
                break
    return bytes(body[:wanted])


def _client(deadline: Deadline, verify: bool, permitted: Sequence[Network] | None) -> httpx.Client:
    client = httpx.Client(
        verify=_trust(verify), timeout=deadline.seconds, trust_env=permitted is None, follow_redirects=False
    )
    # httpx has no public way to say how connections are made; httpcore, on which it stands, has.
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            transport._pool._network_backend = _Backend(deadline, permitted)
    return client


@functools.cache
def _trust(verify: bool) -> ssl.SSLContext:
    """Made once: reading the certificates of all authorities takes longer than most calls."""
    return httpx.create_ssl_context(verify=verify)


class _Backend(httpcore.SyncBackend):
    """Makes connections that the deadline watches, to permitted addresses only. What fails here is an OSError."""

    def __init__(self, deadline: Deadline, permitted: Sequence[Network] | None):
        self._deadline, self._permitted = deadline, permitted

    def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore.NetworkStream:
        return SyncStream(connect(host, port, self._deadline, permitted=self._permitted))
