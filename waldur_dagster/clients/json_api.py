"""JSON APIs of outside systems that are asked many things, patiently, and nowhere but at their own address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from waldur_dagster.clients.closing import Closing
from waldur_dagster.clients.failures import ItemFailed, SystemFailed, failure_of, without_secrets, words_of
from waldur_dagster.clients.patience import PatientTransport

PORTS = {"http": 80, "https": 443}


def pinned(home: str, address: str) -> str:
    """``address``, which a server has told, as a full address.

    Raises ItemFailed when it leads to another scheme, host or port than ``home``, what the site configured: what is
    asked carries a token, which must not travel in clear nor elsewhere.
    """
    try:
        full = urljoin(home, address)
    except ValueError:
        full = ""
    if _origin(full) != _origin(home):
        raise ItemFailed(f"a link leads away from {'://'.join(map(str, _origin(home)[:2]))} and was not followed")
    return full


class JsonApi(Closing):
    """One outside system with one set of credentials: one keep-alive client, which may be used by several threads.

    ``url`` is what paths are relative to; ``secrets`` are covered wherever the system repeats them in its errors.
    Raises LoginRefused, NotFound, ItemFailed or SystemFailed with the system's own words.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        auth: httpx.Auth | tuple[str, str] | None = None,
        verify: Any = True,
        secrets: Iterable[str] = (),
    ):
        self.url = url.rstrip("/") + "/"
        self._secrets = tuple(secrets)
        self._client = httpx.Client(
            transport=PatientTransport(verify=verify), headers=dict(headers or {}), auth=auth, follow_redirects=False
        )

    def get(self, path: str, **parameters: Any) -> Any:
        """What the system answers to a GET: the value of its JSON."""
        return self.json(self.ask("GET", path, params=parameters or None))

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A 2xx answer; ``options`` are those of httpx (params, json, data, headers)."""
        address = pinned(self.url, path)
        place = f"{method} {address.partition('?')[0]}"
        if not options.get("params"):
            options.pop("params", None)  # the address keeps the query that it has
        answer = self.exchange(method, address, **options)
        if not answer.is_success:
            said = words_of(answer.text, self._secrets)
            words = f"{place} was answered with HTTP {answer.status_code}: {said}"
            raise failure_of(answer.status_code, words, answer.text)
        return answer

    def exchange(self, method: str, address: str, **options: Any) -> httpx.Response:
        """The answer to one request, whatever it is; ``address`` is full. Raises SystemFailed when there is none."""
        try:
            return self._client.request(method, address, **options)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            said = without_secrets(str(error), self._secrets)
            place = f"{method} {address.partition('?')[0]}"
            raise SystemFailed(f"{place} was not answered: {type(error).__name__}: {said}") from None

    def json(self, answer: httpx.Response) -> Any:
        """The value of an answer's JSON. Raises ItemFailed when it is none."""
        try:
            return answer.json()
        except (ValueError, RecursionError):
            raise ItemFailed(f"{answer.request.method} {answer.request.url.path} was answered with no JSON") from None

    def close(self) -> None:
        self._client.close()


def _origin(address: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(address)
        return parts.scheme, parts.hostname or "", parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return "", "", None
