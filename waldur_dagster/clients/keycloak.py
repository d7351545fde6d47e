"""The administration of one Keycloak realm (spec rancher_support 0.8).

The library logs in and keeps the token fresh; lists are read here, since its own of groups asks for the children of
every group from wherever the list of groups has come to.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote

from waldur_dagster.clients.failures import (
    Incomplete,
    ItemFailed,
    LoginRefused,
    NotFound,
    SystemFailed,
    VisitFailed,
    failure_of,
    without_secrets,
    words_of,
)
from waldur_dagster.clients.listing import Page, Pages, by_offset, complete, until_nothing_new
from waldur_dagster.clients.requests_calls import checked, do_not_warn, json_of, library, make_patient

PAGE = 100
REFUSED = frozenset({400, 401, 403})
TRIES, ENDED = 3, 401


@dataclass(frozen=True)
class Realm:
    """A realm, and the account that administers it, which may be of another realm."""

    url: str
    name: str
    user_realm: str
    username: str
    password: str = field(repr=False)
    verify: bool = True

    def __str__(self) -> str:
        return f"Keycloak realm {self.name} at {self.url}"


class Keycloak:
    """One login at one realm. Raises LoginRefused, NotFound, ItemFailed, SystemFailed, and Incomplete for lists."""

    def __init__(self, realm: Realm):
        with library("keycloak"):
            connection = _connection_class()

        if not realm.verify:
            do_not_warn()
        self._realm = realm
        self._base = f"admin/realms/{quote(realm.name, safe='')}"
        self._connection = connection(
            server_url=realm.url,
            username=realm.username,
            password=realm.password,
            realm_name=realm.name,
            user_realm_name=realm.user_realm,
            client_id="admin-cli",
            verify=realm.verify,
        )
        # The library has no public way to say how it calls.
        make_patient(self._connection._s)
        make_patient(self._connection.keycloak_openid.connection._s)

    def logged_in(self) -> Self:
        """Log in now, so that a login that is refused is refused once for all who share it."""
        self._understood("the login", self._connection.get_token)
        return self

    def users_named(self, username: str) -> list[dict[str, Any]]:
        """Those of exactly this name, whatever the case: one at most, unless the realm is broken."""
        pages = by_offset(self._pages("users", username=username, exact="true"), short_below=PAGE)
        found = complete("users", until_nothing_new(pages))
        return [user for user in found if str(user.get("username", "")).lower() == username.lower()]

    def groups_like(self, part: str) -> list[dict[str, Any]]:
        """Top-level groups that have this in their name or in that of a child, each with the children found.

        From Keycloak 23 on the pages count children too, and a group comes again with others of its children; so
        whoever needs all children compares ``subGroupCount``, and asks.
        """
        found: dict[str, dict[str, Any]] = {}
        for page in by_offset(self._pages("groups", search=part, briefRepresentation="true"), by=PAGE)():
            for group in page.items:
                known = found.setdefault(str(group["id"]), {**group, "subGroups": []})
                known["subGroups"] += group.get("subGroups") or []
        return list(found.values())

    def children_of(self, group_id: str) -> list[dict[str, Any]]:
        return self._listed(f"groups/{_id(group_id)}/children", "groups")

    def group(self, group_id: str) -> dict[str, Any]:
        """One group; ``subGroupCount``, or in older versions ``subGroups``, say whether it has children."""
        found = self._get(f"groups/{_id(group_id)}")
        if not isinstance(found, dict):
            raise ItemFailed("Keycloak gave no group")
        return found

    def members_of(self, group_id: str) -> list[dict[str, Any]]:
        return self._listed(f"groups/{_id(group_id)}/members", "members", briefRepresentation="true")

    def add_member(self, user_id: str, group_id: str) -> None:
        self._ask("PUT", f"users/{_id(user_id)}/groups/{_id(group_id)}")

    def remove_member(self, user_id: str, group_id: str) -> None:
        """Take somebody out of a group; who is not in it, or no longer there, is out."""
        self._gone(f"users/{_id(user_id)}/groups/{_id(group_id)}")

    def delete_group(self, group_id: str) -> None:
        self._gone(f"groups/{_id(group_id)}")

    def close(self) -> None:
        self._connection._s.close()
        self._connection.keycloak_openid.connection._s.close()

    def _listed(self, path: str, what: str, **parameters: str) -> list[dict[str, Any]]:
        pages: Pages = by_offset(self._pages(path, **parameters))
        return complete(what, until_nothing_new(pages))

    def _pages(self, path: str, **parameters: str) -> Callable[[int], Page]:
        def read(first: int) -> Page:
            items = self._get(path, first=first, max=PAGE, **parameters)
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise Incomplete(f"Keycloak gave no list at {path}")
            return Page(items)

        return read

    def _get(self, path: str, **parameters: Any) -> Any:
        return json_of(self._ask("GET", path, **parameters), f"GET {path}")

    def _gone(self, path: str) -> None:
        with contextlib.suppress(NotFound):
            self._ask("DELETE", path)

    def _ask(self, method: str, path: str, **parameters: Any) -> Any:
        calls: dict[str, Callable[..., Any]] = {
            "GET": self._connection.raw_get,
            "PUT": lambda address: self._connection.raw_put(address, data=None),
            "DELETE": self._connection.raw_delete,
        }
        what = f"{method} {path}"
        # The library renews a token that has ended, once; others who share it may have used up the new one meanwhile.
        for _ in range(TRIES):
            answer = self._understood(what, lambda: calls[method](f"{self._base}/{path}", **parameters))
            if answer.status_code != ENDED:
                break
        return checked(answer, f"Keycloak: {what}", [self._realm.password])

    def _understood(self, what: str, call: Callable[[], Any]) -> Any:
        """Make a call, and tell what the library raises as what it means."""
        from keycloak.exceptions import KeycloakConnectionError, KeycloakError

        try:
            return call()
        except KeycloakConnectionError as error:
            if isinstance(error.__cause__, VisitFailed):
                raise error.__cause__ from None
            said = without_secrets(str(error.__cause__ or error), [self._realm.password])
            kind = type(error.__cause__ or error).__name__
            raise SystemFailed(f"Keycloak: {what} was not answered: {kind}: {said}") from None
        except KeycloakError as error:  # of the login: all other answers are read here
            body = error.response_body or b""
            said = words_of(body.decode(errors="replace"), [self._realm.password]) or "no words"
            status = error.response_code or 0
            if status in REFUSED:
                raise LoginRefused(f"{self._realm} refuses the login of {self._realm.username}: {said}") from None
            raise failure_of(status, f"Keycloak: the login was answered with HTTP {status}: {said}") from None
        except (KeyError, TypeError, ValueError) as error:
            raise SystemFailed(f"Keycloak: the login was answered with nonsense: {type(error).__name__}") from None


def _connection_class() -> Any:
    from keycloak import KeycloakOpenIDConnection

    class Connection(KeycloakOpenIDConnection):
        """Renews its token for one thread at a time: the library changes headers that all share while it does so."""

        renewing = threading.Lock()

        def refresh_token(self) -> None:
            stale = self.token
            with self.renewing:
                if self.token is stale:
                    self.get_token()

    return Connection


def _id(value: str) -> str:
    return quote(value, safe="")
