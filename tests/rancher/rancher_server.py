"""A Rancher on loopback: collections with pages and filters, and faults."""

from __future__ import annotations

import base64
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.loopback import Routes, serving

KEY, SECRET = "token-abc", "secret-of-rancher"
AUTHORIZATION = "Basic " + base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()

# Given method, path and query; an answer, or None where nothing is wrong.
Fault = Callable[[str, str, dict[str, str]], "tuple[int, Any] | None"]


@dataclass
class LoopbackRancher:
    """``collections``: items by path under ``/v3/``. ``page``: how many it gives at most, None for all."""

    page: int | None = None
    fault: Fault | None = None
    known_as: str = ""
    collections: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    url: str = ""
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def changes(self) -> list[str]:
        return [call for call in self.calls if not call.startswith("GET")]

    @property
    def counted(self) -> Counter[str]:
        return Counter(call.partition(" ")[0] for call in self.calls)

    def add(self, path: str, **values: Any) -> str:
        item = {"id": f"i{next(self._numbers)}", **values}
        self.collections.setdefault(path, []).append(item)
        return str(item["id"])

    def bind(self, kind: str, place: str, role: str, principal: str | None, name: str = "") -> str:
        """A binding of a role in a cluster or project, as Rancher keeps it: its id is ``place:name``."""
        name = name or f"b{next(self._numbers)}"
        key = "clusterId" if kind == "cluster" else "projectId"
        values = {"roleTemplateId": role, "groupPrincipalId": principal, key: place, "name": name}
        return self.add(f"{kind}roletemplatebindings", **{**values, "id": f"{place.rpartition(':')[2]}:{name}"})

    def bindings(self, kind: str = "cluster") -> set[tuple[Any, ...]]:
        key = "clusterId" if kind == "cluster" else "projectId"
        found = self.collections.get(f"{kind}roletemplatebindings", [])
        return {(item[key], item["roleTemplateId"], item["groupPrincipalId"]) for item in found}

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, headers: Any) -> tuple[int, Any]:
        self.calls.append(f"{method} {path}")
        if headers["Authorization"] != AUTHORIZATION:
            return 401, {"type": "error", "message": "must authenticate"}
        if self.fault and (broken := self.fault(method, path, query)):
            return broken
        if method == "GET":
            return self._page(path, query)
        if method == "POST":
            kind, place = path.removesuffix("roletemplatebindings"), body.get("clusterId") or body["projectId"]
            self.bind(kind, place, body["roleTemplateId"], body["groupPrincipalId"])
            return 201, {}
        path, _, id = path.rpartition("/")
        kept = [item for item in self.collections.get(path, []) if item["id"] != id]
        found = len(kept) < len(self.collections.get(path, []))
        self.collections[path] = kept
        return (200, {}) if found else (404, {"type": "error", "code": "NotFound", "message": f"{id} not found"})

    def _page(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path not in self.collections:
            return 404, {"type": "error", "code": "NotFound", "message": f"{path} not found"}
        filters = {name: value for name, value in query.items() if name not in {"limit", "marker"}}
        items = [i for i in self.collections[path] if all(str(i.get(n)) == v for n, v in filters.items() if n in i)]
        limit = self.page or max(1, len(items))
        start = next((n for n, item in enumerate(items) if item["id"] == query.get("marker")), 0)
        paging: dict[str, Any] = {"limit": limit, "total": len(items)}
        if start + limit < len(items):
            following = urlencode({**filters, "limit": limit, "marker": items[start + limit]["id"]})
            paging |= {"next": f"{self.known_as or self.url}/v3/{path}?{following}", "partial": True}
        return 200, {"type": "collection", "data": items[start : start + limit], "pagination": paging}


@contextmanager
def serving_rancher(rancher: LoopbackRancher) -> Iterator[LoopbackRancher]:
    def way(method: str) -> Any:
        return lambda path, query, body, headers: rancher.answer(method, path, query, body, headers)

    routes: Routes = {(method, r"/v3/(.*)"): way(method) for method in ("GET", "POST", "DELETE")}
    with serving(routes) as url:
        rancher.url = url
        yield rancher


def node(host: str, state: str = "active", **values: Any) -> dict[str, Any]:
    """A node as Rancher shows it; its id is ``m-<host>``."""
    facts = {
        "requestedHostname": host,
        "labels": {"kubernetes.io/hostname": host},
        "annotations": {"a": "b"},
        "info": {"os": {"dockerVersion": "19.3.4"}, "kubernetes": {"kubeletVersion": "v1.20.6"}},
        "requested": {"cpu": "380m", "memory": "8002Mi", "pods": "8"},
        "allocatable": {"cpu": "4", "memory": "16163180Ki", "pods": "110"},
    }
    return facts | {"id": f"m-{host}", "state": state} | values
