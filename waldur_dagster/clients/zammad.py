"""Zammad (spec rancher_support 0.3). The library logs in; its own pages end where one is short, which servers cap."""

from __future__ import annotations

from typing import Any

from waldur_dagster.clients.failures import Incomplete
from waldur_dagster.clients.listing import Page, by_number, complete, until_nothing_new
from waldur_dagster.clients.requests_calls import checked, json_of, library, make_patient, understood

PAGE = 100


class Zammad:
    """One session at one Zammad. Raises LoginRefused, ItemFailed, SystemFailed, and Incomplete for lists."""

    def __init__(self, url: str, token: str):
        with library("help-desks"):
            from zammad_py import ZammadAPI

        self._token = token
        self._api = ZammadAPI(f"{url.rstrip('/')}/api/v1/", http_token=token)
        make_patient(self._api.session)

    def priorities(self) -> list[dict[str, Any]]:
        """All priorities of tickets: id, name."""
        return self._listed(self._api.ticket_priority.url, "ticket_priorities")

    def users(self) -> list[dict[str, Any]]:
        """All users: id, login, firstname, lastname, email, active."""
        return self._listed(self._api.user.url, "users")

    def close(self) -> None:
        self._api.session.close()

    def _listed(self, url: str, name: str) -> list[dict[str, Any]]:
        what = f"GET {name}"

        def read(number: int) -> Page:
            with understood(what, [self._token]):
                answer = self._api.session.get(url, params={"page": number, "per_page": PAGE})
            items = json_of(checked(answer, what, [self._token]), what)
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise Incomplete(f"Zammad gave no list of {name}")
            return Page(items)

        return complete(name, until_nothing_new(by_number(read)))
