"""A Waldur on loopback that plays a remote one: lists with pages and filters, single objects, changes, faults."""

from __future__ import annotations

import itertools
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from tests.loopback import serving
from tests.processes import halting

TOKEN = "0123456789abcdef-remote-token"
LARGEST_PAGE = 300
# Parameters of lists that name a field of the items; others are those below, or are passed over as Waldur does.
FILTERS = (
    "resource_uuid",
    "offering_uuid",
    "backend_id",
    "year",
    "month",
    "user",
    "role",
    "customer_uuid",
    "category_uuid",
)


@dataclass
class RemoteWaldur:
    """What it has, by path: ``objects["marketplace-orders"]`` is the list, and its items are single objects by uuid.

    ``fault``, given method, path and query, may answer instead: (status, body), (status, body, headers), or None.
    ``change`` answers POST and PATCH, given method, path and body. ``calls`` counts what was asked, by method and path,
    with the uuids in paths as they are; ``sent`` are the changes.
    """

    objects: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    token: str = TOKEN
    fault: Callable[[str, str, dict[str, str]], tuple[Any, ...] | None] = lambda *_: None
    change: Callable[[str, str, Any], tuple[Any, ...]] = lambda *_: (200, {})
    page_size: int = LARGEST_PAGE
    link_origin: str = ""  # links are made with it instead of the address that was asked
    url: str = ""
    calls: Counter[str] = field(default_factory=Counter)
    sent: list[tuple[str, str, Any]] = field(default_factory=list)

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    def say(self, path: str, item: dict[str, Any]) -> None:
        """It has one more item on a list."""
        self.objects.setdefault(path, []).append(item)

    def get(self, path: str, *, query: dict[str, str], headers: Any, **_: Any) -> tuple[Any, ...]:
        if refused := self._refused("GET", path, query, headers):
            return refused
        if path in self.objects:
            return self._page(path, self._found(path, query), query)
        kind, uuid = path.rpartition("/")[::2]
        for item in self.objects.get(kind, []):
            if item["uuid"] == uuid:
                return 200, item
        return 404, {"detail": "Not found."}

    def do(self, method: str) -> Callable[..., tuple[Any, ...]]:
        def changed(path: str, *, query: dict[str, str], body: Any, headers: Any) -> tuple[Any, ...]:
            if refused := self._refused(method, path, query, headers):
                return refused
            self.sent.append((method, path, body))
            return self.change(method, path, body)

        return changed

    def _refused(self, method: str, path: str, query: dict[str, str], headers: Any) -> tuple[Any, ...] | None:
        self.calls[f"{method} {path}"] += 1
        if answer := self.fault(method, path, query):
            return answer
        if headers["Authorization"] != f"token {self.token}":
            return 401, {"detail": "Invalid token."}
        return None

    def _found(self, path: str, query: dict[str, str]) -> list[dict[str, Any]]:
        wanted = {name: value for name, value in query.items() if name in FILTERS}
        return [
            item
            for item in self.objects[path]
            if all(str(item.get(name, "")) == value for name, value in wanted.items())
            and str(item.get("date", "9")) >= query.get("date_after", "")
        ]

    def _page(self, path: str, items: list[dict[str, Any]], query: dict[str, str]) -> tuple[Any, ...]:
        size = min(int(query.get("page_size", 10)), self.page_size)
        number, last = int(query.get("page", 1)), max(1, -(-len(items) // size))
        if number > last:
            return 404, {"detail": "Invalid page."}
        links = []
        for rel, page in (("first", 1), ("prev", number - 1), ("next", number + 1), ("last", last)):
            if 1 <= page <= last:
                asked = urlencode(query | {"page": page})
                links.append(f'<{self.link_origin or self.url}/api/{path}/?{asked}>; rel="{rel}"')
        headers = {"X-Result-Count": str(len(items)), "Link": ", ".join(links)}
        return 200, items[(number - 1) * size : number * size], headers


@contextmanager
def serving_remote(remote: RemoteWaldur | None = None) -> Iterator[RemoteWaldur]:
    remote = remote or RemoteWaldur()
    pattern = r"/api/(.+?)/"
    routes = {
        ("GET", pattern): remote.get,
        **{(method, pattern): remote.do(method) for method in ("POST", "PATCH", "DELETE")},
    }
    with serving(routes) as url:
        remote.url = url
        yield remote


def failing(path: str, status: int, body: Any = None, *, page: int | None = None) -> Callable[..., Any]:
    """A fault for every request to a path that matches (of one page of it)."""

    def fault(_: str, asked: str, query: dict[str, str]) -> tuple[Any, ...] | None:
        if re.search(path, asked) and (page is None or query.get("page", "1") == str(page)):
            return status, {"detail": "It is broken."} if body is None else body
        return None

    return fault


def stalling(after: int) -> tuple[Callable[..., None], threading.Event]:
    """A fault that lets some requests through, and lets no further one be answered until the event is set."""
    asked = itertools.count()
    return halting(lambda: next(asked) >= after)


def uuid_of(kind: int, number: int) -> str:
    """A uuid of 32 hex digits: ``kind`` tells offerings, resources and so on apart."""
    return f"{kind:08x}000040008000{number:012x}"


def dashed(uuid: str) -> str:
    """The same uuid as some versions of Waldur store it here."""
    return str(UUID(uuid))
