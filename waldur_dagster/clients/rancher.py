"""Rancher's API, version 3 (spec rancher_support 0.5)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from waldur_dagster.clients.closing import Closing
from waldur_dagster.clients.failures import Incomplete
from waldur_dagster.clients.json_api import JsonApi
from waldur_dagster.clients.listing import Page, by_link, complete, items_of

ALL = "-1"


class Rancher(Closing):
    """One Rancher with one access key. Raises LoginRefused, NotFound, ItemFailed, SystemFailed, and Incomplete.

    Waldur does not verify the certificates of Rancher servers, most of which have signed their own.
    """

    def __init__(self, url: str, access_key: str, secret_key: str, *, verify: bool = False):
        self._api = JsonApi(f"{url.strip('/')}/v3", auth=(access_key, secret_key), verify=verify, secrets=[secret_key])

    def listed(self, path: str, what: str, **filters: str) -> list[dict[str, Any]]:
        """All items of a collection that have these values.

        Every page is asked for at the configured address: a server that knows itself by another name links to that.
        """

        def read(query: str) -> Page:
            answer = self._api.get(path, **dict(parse_qsl(query)))
            items = items_of(answer, "data")
            page = answer.get("pagination") or {}
            following = page.get("next")
            if page.get("partial") and not following:
                raise Incomplete("Rancher says that it has cut it")
            return Page(items, page.get("total"), urlsplit(following).query if following else None)

        first = "&".join(f"{name}={quote(value, safe='')}" for name, value in {**filters, "limit": ALL}.items())
        return complete(what, by_link(read, first))

    def content(self, path: str) -> bytes:
        """What is no JSON: the icon of a template."""
        return self._api.ask("GET", path).content

    def create(self, path: str, values: dict[str, Any]) -> None:
        self._api.ask("POST", path, json=values)

    def delete(self, path: str) -> None:
        self._api.ask("DELETE", path)

    def close(self) -> None:
        self._api.close()
