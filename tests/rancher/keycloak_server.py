"""A Keycloak realm on loopback: users, groups with children, members; new (from 23 on) or old ways to list groups."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.loopback import Routes, serving

REALM, ADMIN, PASSWORD = "waldur", "waldur-admin", "secret-of-keycloak"
Fault = Callable[[str, str, dict[str, str]], "tuple[int, Any] | None"]


@dataclass
class LoopbackKeycloak:
    """``most``: items on a page, whatever is asked for. ``calls_of_token``: how many calls a token is good for."""

    most: int = 100
    is_old: bool = False
    fault: Fault | None = None
    calls_of_token: int = 10**9
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    logins: int = 0
    url: str = ""
    _below: dict[str, list[str]] = field(default_factory=dict)
    _above: dict[str, str] = field(default_factory=dict)
    _left: dict[str, int] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def changes(self) -> list[str]:
        return [call for call in self.calls if not call.startswith("GET")]

    @property
    def counted(self) -> Counter[str]:
        return Counter(call.partition(" ")[0] for call in self.calls)

    @property
    def options(self) -> dict[str, Any]:
        """What a Rancher server's settings say of this realm."""
        url, names = f"{self.url}/auth", ("keycloak_url", "keycloak_realm", "keycloak_username", "keycloak_password")
        return dict(zip(names, (url, REALM, ADMIN, PASSWORD), strict=True))

    def user(self, username: str, **values: Any) -> str:
        id = f"u{next(self._numbers)}"
        self.users[id] = {"id": id, "username": username, **values}
        return id

    def group(self, name: str, *members: str) -> str:
        """A group of a role, under the group of its cluster or project, which is made when missing."""
        parent = name[:34]
        above = self._above.get(parent) or self.parent(parent)
        id = f"g{next(self._numbers)}"
        self.groups[id] = {"id": id, "name": name, "parentId": above}
        self._below[above].append(id)
        self.members[id] = list(members)
        return id

    def parent(self, name: str) -> str:
        id = f"g{next(self._numbers)}"
        self.groups[id] = {"id": id, "name": name}
        self._below[id], self._above[name] = [], id
        return id

    def names(self) -> list[str]:
        return sorted(group["name"] for group in self.groups.values())

    def answer(self, method: str, path: str, query: dict[str, str], headers: Any) -> tuple[int, Any]:
        self.calls.append(f"{method} {path}")
        token = headers["Authorization"].removeprefix("Bearer ")
        self._left[token] = self._left.get(token, 0) - 1
        if self._left[token] < 0:
            return 401, {"error": "HTTP 401 Unauthorized"}
        if self.fault and (broken := self.fault(method, path, query)):
            return broken
        match [method, *path.split("/")]:
            case ["GET", "users"]:
                exact, name = query.get("exact") == "true", query["username"].lower()
                found = [u for u in self.users.values() if _alike(u["username"].lower(), name, exact=exact)]
                return self._page(found, query)
            case ["GET", "groups"]:
                return self._search(query)
            case ["GET", "groups", id]:
                return (200, self._shown(id)) if id in self.groups else _missing
            case ["GET", "groups", id, "children"]:
                return self._page([self._shown(child) for child in self._children(id)], query)
            case ["GET", "groups", id, "members"]:
                found = [self.users[user] for user in self.members.get(id, [])]
                return self._page(found, query) if id in self.groups else _missing
            case ["PUT", "users", user, "groups", id] if user in self.users and id in self.groups:
                self.members[id] = [*(one for one in self.members[id] if one != user), user]
                return 204, b""
            case ["DELETE", "users", user, "groups", id] if user in self.users and id in self.groups:
                self.members[id].remove(user)
                return 204, b""
            case ["DELETE", "groups", id] if id in self.groups:
                for gone in [id, *self._children(id)]:
                    del self.groups[gone]
                return 204, b""
        return _missing

    def login(self, body: dict[str, str]) -> tuple[int, Any]:
        self.logins += 1
        if (body["username"], body["password"]) != (ADMIN, PASSWORD):
            return 401, {"error": "invalid_grant", "error_description": "Invalid user credentials"}
        token = f"token{self.logins}"
        self._left[token] = self.calls_of_token
        return 200, {"access_token": token, "expires_in": 60, "refresh_token": "r", "token_type": "Bearer"}

    def _page(self, items: list[Any], query: dict[str, str]) -> tuple[int, Any]:
        first = int(query["first"])
        return 200, items[first : first + min(self.most, int(query["max"]))]

    def _children(self, id: str) -> list[str]:
        return [child for child in self._below.get(id, []) if child in self.groups]

    def _shown(self, id: str) -> dict[str, Any]:
        children = self._children(id)
        if self.is_old:
            return self.groups[id] | {"subGroups": [self._shown(child) for child in children]}
        return self.groups[id] | {"subGroups": [], "subGroupCount": len(children)}

    def _search(self, query: dict[str, str]) -> tuple[int, Any]:
        """Old: top-level groups with all their children. New: pages of groups of any level, as trees of these."""
        found = [id for id, group in self.groups.items() if query["search"].lower() in group["name"].lower()]
        if self.is_old:
            tops = dict.fromkeys(self.groups[id].get("parentId", id) for id in found)
            return self._page([self._shown(id) for id in tops], query)
        trees: dict[str, dict[str, Any]] = {}
        for id in self._page(found, query)[1]:
            top = self.groups[id].get("parentId", id)
            tree = trees.setdefault(top, self._shown(top))
            if id != top:
                tree["subGroups"].append(self._shown(id))
        return 200, list(trees.values())


_missing = (404, {"error": "Could not find it by id"})


def _alike(name: str, sought: str, *, exact: bool) -> bool:
    return name == sought if exact else sought in name


@contextmanager
def serving_keycloak(keycloak: LoopbackKeycloak) -> Iterator[LoopbackKeycloak]:
    def way(method: str) -> Any:
        return lambda path, query, body, headers: keycloak.answer(method, path, query, headers)

    routes: Routes = {(method, rf"/auth/admin/realms/{REALM}/(.*)"): way(method) for method in ("GET", "PUT", "DELETE")}
    routes["POST", "/auth/realms/master/protocol/openid-connect/token"] = lambda body, **_: keycloak.login(body)
    with serving(routes) as url:
        keycloak.url = url
        yield keycloak
