"""The REST API of another Waldur (spec remote 1.2): single objects, whole lists, changes.

Made of httpx and pydantic rather than of Waldur's generated client: that one is bound to the fields of one version and
refuses answers in which one is missing or of another type. Here each entry says in a ``Document`` what it needs, no
more, so any Waldur from 7.0 to 8.1 may stand on the other side: what is new is passed over, what is absent has a
default, and the same value in another form (a number as text, a uuid with dashes, null for an empty text) is the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Self
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

from waldur_dagster.clients.failures import Incomplete, ItemFailed
from waldur_dagster.clients.json_api import JsonApi, pinned
from waldur_dagster.clients.listing import Page, by_link, complete
from waldur_dagster.clients.patience import pause

PAGE_SIZE = 200
BUSY = 409  # another change of the same object is at work there
TRIES_OF_CHANGES = 3
PAUSE = 2.0  # seconds before a busy object is asked again
MOVED = frozenset({301, 302, 303, 307, 308})


class Waldur(JsonApi):
    """One remote Waldur with one token. Paths are relative to its ``api_url`` and end in a slash."""

    def __init__(self, api_url: str, token: str, *, verify: bool = True):
        headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
        super().__init__(api_url, headers=headers, verify=verify, secrets=[token])

    def one(self, path: str) -> dict[str, Any]:
        """A single object. Raises ItemFailed when the answer is none."""
        found = self.get(path)
        if not isinstance(found, dict):
            raise ItemFailed(f"GET {path} was answered with no object")
        return found

    def listed(self, path: str, keep: Collection[str] = (), **filters: Any) -> list[dict[str, Any]]:
        """A whole list, told apart by ``uuid``; a filter with several values is a list of them.

        ``keep`` are the fields that are wanted of each, where a list may be long; all of them by default.

        Pages are followed by their ``Link`` and counted against ``X-Result-Count``: a list that differs from page to
        page is read again, and raises Incomplete when it does not come to rest. Whatever scheme and host a link names
        (those behind a proxy, say), the configured ones are asked.
        """
        wanted = filters | {"page_size": PAGE_SIZE}
        first = str(httpx.URL(self.url).join(path).copy_merge_params(wanted))
        return complete(path.strip("/"), by_link(lambda address: self._page(path, address, keep), first), _uuid)

    def change(self, method: str, path: str, body: Mapping[str, Any]) -> httpx.Response:
        """POST or PATCH. An object that is busy there is tried again, redirections on the same host are followed."""
        return self.ask(method, path, json=dict(body))

    def exchange(self, method: str, address: str, **options: Any) -> httpx.Response:
        for left in reversed(range(TRIES_OF_CHANGES)):
            answer = self._arrived(method, address, options)
            if method == "GET" or answer.status_code != BUSY or not left:
                return answer
            pause(PAUSE)
        raise AssertionError

    def _arrived(self, method: str, address: str, options: dict[str, Any]) -> httpx.Response:
        """The answer at the end of at most one redirection: of addresses without a last slash, for example."""
        answer = super().exchange(method, address, **options)
        if answer.status_code in MOVED and (there := answer.headers.get("Location")):
            moved = {name: value for name, value in options.items() if name != "params"}
            return super().exchange(method, pinned(self.url, urljoin(address, there)), **moved)
        return answer

    def _page(self, path: str, address: str, keep: Collection[str]) -> Page:
        answer = self.ask("GET", address)
        items = self.json(answer)
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise Incomplete(f"GET {path} was answered with no list of objects")
        if keep:
            items = [{key: item[key] for key in ("uuid", *keep) if key in item} for item in items]
        return Page(items, _count(answer), self._next(address, answer))

    def _next(self, address: str, answer: httpx.Response) -> str | None:
        """The next page's address: the query that its link has, at the place that was asked."""
        link = answer.links.get("next", {}).get("url")
        if not link:
            return None
        return str(httpx.URL(address).copy_with(params=parse_qsl(urlsplit(link).query, keep_blank_values=True)))


def _count(answer: httpx.Response) -> int | None:
    count = answer.headers.get("X-Result-Count")
    if count is not None and not count.isdigit():
        raise Incomplete(f"its X-Result-Count is {count[:20]!r}")
    return None if count is None else int(count)


def _uuid(item: Mapping[str, Any]) -> str:
    name = item.get("uuid")
    if not isinstance(name, str):
        raise Incomplete("an item on it has no uuid")
    return name


class Document(BaseModel):
    """What an entry needs of an object of the API; fields with a default may be absent or null there."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    @classmethod
    def read(cls, found: Any) -> Self:
        """Raises ItemFailed, which says which fields are wrong and never what they hold."""
        if isinstance(found, Mapping):  # null means what absence does
            found = {key: value for key, value in found.items() if value is not None}
        try:
            return cls.model_validate(found)
        except ValidationError as error:
            wrong = sorted({".".join(map(str, problem["loc"])) or "it" for problem in error.errors()})
            raise ItemFailed(f"the answer about a {cls.__name__.lower()} is malformed: {', '.join(wrong)}") from None


def uuid_text(value: str) -> str:
    """A uuid as Waldur stores it in text columns: 32 hex digits, whether it came with dashes or without."""
    return value.replace("-", "").lower()


def _hex(value: Any) -> Any:
    return uuid_text(value) if isinstance(value, str) else value


def _exactly(value: Any) -> Any:
    """Computed values come as JSON numbers: 0.1 is meant, not its nearest binary fraction."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _aware(value: datetime) -> datetime:
    """Waldur sends offsets; without one it can only mean UTC."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _without_nul(value: str) -> str:
    return value.replace("\0", "")


Words = Annotated[str, AfterValidator(_without_nul)]  # as the database can keep them
Uuid = Annotated[Words, BeforeValidator(_hex)]  # 32 hex digits, as Waldur stores them in text columns
Amount = Annotated[Decimal, BeforeValidator(_exactly)]
Instant = Annotated[datetime, AfterValidator(_aware)]
