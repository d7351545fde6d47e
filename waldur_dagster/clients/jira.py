"""Jira and its service desks, Cloud or Data Center (spec rancher_support 0.3).

The library makes the session and logs in; lists are read here, since its own take the first page for all.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from waldur_dagster.clients.failures import Incomplete, ItemFailed, NotFound, VisitFailed
from waldur_dagster.clients.listing import Page, by_offset, complete, items_of, until_nothing_new
from waldur_dagster.clients.requests_calls import checked, do_not_warn, json_of, library, make_patient, understood

PAGE = 1000  # users that are asked for at once; servers cap it
# How old versions say that a key is no number of a service desk; it may stand far behind in what they say.
NO_NUMBER = "java.lang.NumberFormatException"
OPT_IN = {"Accept": "application/json", "X-ExperimentalApi": "opt-in"}


@dataclass(frozen=True)
class JiraLogin:
    """Where Jira is, and one way to log in: a bearer token, if there is one, else ``basic``.

    ``bearer`` is an access token of OAuth 2 or a personal one; ``basic`` are user or mail address, and password or
    token.
    """

    url: str
    verify: bool = True
    bearer: str = field(default="", repr=False)
    basic: tuple[str, str] = field(default=("", ""), repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.bearer, self.basic[1])


class Jira:
    """One session at one Jira. Raises LoginRefused, NotFound, ItemFailed, SystemFailed, and Incomplete for lists."""

    def __init__(self, login: JiraLogin):
        import requests

        with library("help-desks"):
            from atlassian import Jira as Library

        session = make_patient(requests.Session())
        session.verify = login.verify
        if not login.verify:
            do_not_warn()
        self._secrets = login.secrets
        self._jira = Library(login.url.rstrip("/"), session=session, retry_with_header=False, **_credentials(login))

    def priorities(self) -> list[dict[str, Any]]:
        """All priorities: id, name, description, iconUrl."""
        return complete("priorities", lambda: iter([Page(_objects(self.get("rest/api/2/priority"), "priorities"))]))

    def assignable_users(self, project: str) -> list[dict[str, Any]]:
        """All whom an issue of the project may be assigned to.

        Jira Cloud takes no user names any more, and has another place to ask.
        """

        def ask(start: int) -> Page:
            paging = {"startAt": start, "maxResults": PAGE}
            if places[0] == "multiProjectSearch":
                try:
                    return self._users(places[0], {"username": "", "projectKeys": project, **paging})
                except ItemFailed as problem:
                    if problem.status != 400 or "GDPR" not in str(problem):
                        raise
                    places[0] = "search"
            return self._users(places[0], {"project": project, **paging})

        places = ["multiProjectSearch"]
        return complete("assignable users", until_nothing_new(by_offset(ask), _account), _account)

    def request_types(self, desk: str) -> list[dict[str, Any]]:
        """All request types of a service desk: id, name, and issueTypeId where Jira is not too old."""
        return self._values(f"rest/servicedeskapi/servicedesk/{desk}/requesttype", "request types")

    def old_request_types(self, project: str, desk: str, segment: int) -> list[dict[str, Any]]:
        """The same of an old Jira, by its private API, which calls the issue type ``issueType``."""
        path = f"rest/servicedesk/{segment}/servicedesk/{quote(project.lower(), safe='')}/groups/{desk}/request-types"
        found = _objects(self.get(path, headers=OPT_IN), "request types")
        return [item | {"issueTypeId": item.get("issueType")} for item in found]

    def request_fields(self, desk: str, request_type: str) -> list[dict[str, Any]]:
        """What a request of a type asks for."""
        path = f"rest/servicedeskapi/servicedesk/{desk}/requesttype/{request_type}/field"
        return items_of(self.get(path, headers=OPT_IN), "requestTypeFields")

    def issue_type_name(self, issue_type: str) -> str:
        return str(self.get(f"rest/api/2/issuetype/{quote(issue_type, safe='')}")["name"])

    def desk_of(self, project: str) -> str:
        """The id of the service desk of a project, which is given by its key or by the desk's own id."""
        try:
            return str(self.get(f"rest/servicedeskapi/servicedesk/{quote(project, safe='')}")["id"])
        except VisitFailed as problem:
            if NO_NUMBER not in str(problem):
                raise
        desks = self._values("rest/servicedeskapi/servicedesk", "service desks")
        found = next((str(desk["id"]) for desk in desks if desk.get("projectKey") == project), None)
        if found is None:
            raise NotFound(f"Jira has no service desk of the project {project} (HTTP 404)")
        return found

    def get(self, path: str, parameters: dict[str, Any] | None = None, headers: Any = None) -> Any:
        """What Jira answers to a GET: the value of its JSON."""
        what = f"GET {path}"
        with understood(what, self._secrets):
            answer = self._jira.request("GET", path, params=parameters, headers=headers, advanced_mode=True)
        return json_of(checked(answer, what, self._secrets, said=_trouble(answer)), what)

    def close(self) -> None:
        self._jira.close()

    def _users(self, place: str, parameters: dict[str, Any]) -> Page:
        return Page(_objects(self.get(f"rest/api/2/user/assignable/{place}", parameters), "users"))

    def _values(self, path: str, what: str) -> list[dict[str, Any]]:
        """All items of a list of the service desk's API, which says on which page it ends."""

        def read(start: int) -> Page:
            if ended:
                return Page([])
            # The first page is asked for as it is: very old servers know no parameters.
            answer = self.get(path, {"start": start} if start else None, OPT_IN)
            items = items_of(answer, "values")
            if answer.get("isLastPage", True):
                ended.append(True)
            elif not items:
                raise Incomplete("a page that is not the last one is empty")
            return Page(items)

        def pages() -> Any:
            ended.clear()
            return by_offset(read)()

        ended: list[bool] = []
        return complete(what, pages)


def _credentials(login: JiraLogin) -> dict[str, Any]:
    if login.bearer:
        return {"token": login.bearer}
    return {"username": login.basic[0], "password": login.basic[1]}


def _trouble(answer: Any) -> str:
    """What Jira says of a refused login in headers and not in its words, or behind a great many of these."""
    if not answer.ok and NO_NUMBER in answer.text:
        return NO_NUMBER
    if answer.headers.get("X-Seraph-LoginReason") == "AUTHENTICATED_FAILED":
        return "Jira wants a captcha: log in by hand as this user, then try again"
    return str(answer.headers.get("X-Authentication-Denied-Reason", "")) if answer.status_code == 403 else ""


def _account(user: Any) -> Hashable:
    """What tells users apart, in Cloud and in Data Center."""
    found = next((user[key] for key in ("accountId", "key", "name") if user.get(key)), None)
    if found is None:
        raise Incomplete("a user on it has no accountId, key or name")
    return str(found)


def _objects(answer: Any, what: str) -> list[dict[str, Any]]:
    if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
        raise Incomplete(f"Jira gave no list of {what}")
    return answer
