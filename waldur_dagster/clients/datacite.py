"""DataCite's REST API for DOIs (spec people, waldur-update-all-pid; support.datacite.org/docs/api)."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from waldur_dagster.clients.closing import Closing
from waldur_dagster.clients.failures import ItemFailed, NotFound, SystemFailed, without_secrets
from waldur_dagster.clients.patience import PatientTransport

JSON_API = "application/vnd.api+json"
CHANGES_A_SECOND = 10
PAUSE = 10  # seconds to wait where the front says that it was asked too often, and not for how long
KEPT_IN_A_PATH = "/!$&'()*+,;=:@"
SHOWN = 2000  # characters of an answer
SAID = "said"  # the status that an answer had, among its extensions


class Refused(ItemFailed):
    """DataCite answers with another status than 200; ``body`` is what it says, without the password."""

    def __init__(self, place: str, status: int, body: str):
        super().__init__(f"{place} was answered with HTTP {status}: {body}")
        self.status, self.body = status, body


class AskedTooOften(Refused, SystemFailed):
    """DataCite takes nothing more from this program for now, which says nothing about the record."""


@dataclass(frozen=True)
class Account:
    """Where DataCite is, and the repository whose DOIs may be changed; the credentials are for changes only."""

    url: str
    repository: str
    password: str = field(repr=False)


class DataCite(Closing):
    """One client for all DOIs of a run, which may be used by several threads."""

    def __init__(self, account: Account):
        self._account = account
        self._client = httpx.Client(transport=_PoliteTransport(), follow_redirects=False)
        self._lock = threading.Lock()
        self._next_change = 0.0
        self._records: dict[str, Future[Mapping[str, Any]]] = {}

    def record(self, doi: str, *, as_owner: bool = False) -> Mapping[str, Any]:
        """The attributes of a DOI; its owner sees drafts too.

        Raises NotFound, Refused, AskedTooOften, ItemFailed when the answer is no record, or SystemFailed.
        """
        answer = self._ask("GET", doi, as_owner=as_owner, headers={"accept": JSON_API})
        try:
            attributes = answer.json()["data"]["attributes"]
        except (ValueError, KeyError, TypeError, RecursionError):
            attributes = None
        if not isinstance(attributes, dict):
            raise ItemFailed(f"{doi} was answered with no record of DataCite")
        return attributes

    def reference(self, doi: str) -> Mapping[str, Any]:
        """As ``record``, asked once in a run: the same work is cited by many."""
        with self._lock:
            known = self._records.get(doi)
            record = self._records.setdefault(doi, Future())
        if known is None:
            try:
                record.set_result(self.record(doi))
            except Exception as problem:
                record.set_exception(problem)
        return record.result()

    def put(self, doi: str, document: Mapping[str, Any]) -> None:
        """Write a DOI, not more than ten a second. Raises Refused, AskedTooOften or SystemFailed."""
        with self._lock:
            now = time.monotonic()
            mine = self._next_change = max(now, self._next_change)
            self._next_change += 1 / CHANGES_A_SECOND
        time.sleep(mine - now)
        self._ask("PUT", doi, as_owner=True, json=document, headers={"Content-Type": JSON_API})

    def _ask(self, method: str, doi: str, *, as_owner: bool, **options: Any) -> httpx.Response:
        account = self._account
        auth = (account.repository, account.password) if as_owner else None
        address = f"{account.url.rstrip('/')}/{quote(doi, safe=KEPT_IN_A_PATH)}"
        place = f"{method} {address}"
        try:
            answer = self._client.request(method, address, auth=auth, **options)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            said = without_secrets(str(error), [account.password])
            raise SystemFailed(f"{type(error).__name__}: {said}") from None
        if answer.status_code == 200:
            return answer
        body = without_secrets(answer.text, [account.password])[:SHOWN]
        if answer.status_code == 429:
            raise AskedTooOften(place, answer.extensions.get(SAID, 429), body)
        if method == "GET" and answer.status_code == 404:
            raise NotFound(f"{place} was answered with HTTP 404")
        raise Refused(place, answer.status_code, body)

    def close(self) -> None:
        self._client.close()


class _PoliteTransport(PatientTransport):
    """DataCite's front says that it was asked too often by 403 with a page of HTML; its API never answers so.

    What is asked of DataCite here may be done twice, so a connection that breaks off is no reason not to ask again.
    """

    unreached = (httpx.NetworkError, httpx.RemoteProtocolError)

    def _once(self, request: httpx.Request) -> httpx.Response:
        answer = super()._once(request)
        if answer.status_code == 403 and answer.headers.get("Content-Type", "").startswith("text/html"):
            headers = {"Retry-After": answer.headers.get("Retry-After", str(PAUSE))}
            body = httpx.ByteStream(answer.read())
            return httpx.Response(429, headers=headers, stream=body, extensions={SAID: answer.status_code})
        return answer
