"""The help desk that a site uses, and how it is reached (spec rancher_support 0.1, 0.3; newer)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from waldur_dagster.clients.jira import Jira, JiraLogin
from waldur_dagster.clients.zammad import Zammad
from waldur_dagster.site import Transactions
from waldur_dagster.visits import Visit
from waldur_dagster.work import Refused, Work

ATLASSIAN, ZAMMAD = "atlassian", "zammad"
# What Waldur itself has where nobody has set an address.
UNSET = ("", "http://example.com/", "https://example.com/")
# Newer versions no longer have the first two, and act as if they were on (``database/constance.py``).
SWITCHES = ("ATLASSIAN_PULL_PRIORITIES", "ATLASSIAN_USE_AUTOMATIC_REQUEST_MAPPING", "ATLASSIAN_USE_OLD_API")


@dataclass(frozen=True)
class HelpDesk:
    """One help desk: ``type`` is its back end's name; what the others need is empty."""

    type: str
    login: JiraLogin | None = None
    project: str = ""
    strange: int = 1
    switches: frozenset[str] = frozenset()
    url: str = ""
    token: str = field(default="", repr=False)

    def __str__(self) -> str:
        return {ATLASSIAN: "Jira", ZAMMAD: "Zammad"}[self.type]


def active_desk(transaction: Transactions, *types: str) -> HelpDesk | None:
    """The site's help desk, when it is switched on and of one of ``types``; else None, and the log says why.

    Nothing is known of the people and types of SMAX and of basic desks: rows of these are made by hand.
    """
    with transaction() as work:
        settings = work.constance
        if not settings["WALDUR_SUPPORT_ENABLED"]:
            transaction.log.info("The help desk is switched off (WALDUR_SUPPORT_ENABLED): nothing to do.")
            return None
        kind = str(settings["WALDUR_SUPPORT_ACTIVE_BACKEND_TYPE"])
        if kind not in types:
            transaction.log.info(f"A help desk of the type {kind!r} has none of this: nothing to do.")
            return None
        if kind == ZAMMAD:
            return _zammad(work)
        if settings["ATLASSIAN_API_URL"] in UNSET:
            words = "is not configured: set ATLASSIAN_API_URL, or switch it off (WALDUR_SUPPORT_ENABLED)"
            work.outcome.warn("the help desk", words)
            return None
        return HelpDesk(
            ATLASSIAN,
            login=_jira_login(work),
            project=str(settings["ATLASSIAN_PROJECT_ID"]),
            strange=int(settings["ATLASSIAN_STRANGE_SETTING"]),
            switches=frozenset(name for name in SWITCHES if settings[name]),
        )


def jira_at(visiting: Visit, desk: HelpDesk) -> Jira:
    """The client of a desk of Jira's, one for the run."""
    login = desk.login
    assert login is not None
    return visiting.client("api", lambda: Jira(login))


def zammad_at(visiting: Visit, desk: HelpDesk) -> Zammad:
    """The client of a desk of Zammad's, one for the run."""
    return visiting.client("api", lambda: Zammad(desk.url, desk.token))


def _zammad(work: Work) -> HelpDesk:
    url, token = (str(work.constance[name]) for name in ("ZAMMAD_API_URL", "ZAMMAD_TOKEN"))
    missing = [name for name, value in (("ZAMMAD_API_URL", url), ("ZAMMAD_TOKEN", token)) if not value]
    if missing:
        raise Refused(f"Zammad cannot be reached: the site's setting {' and '.join(missing)} is empty")
    return HelpDesk(ZAMMAD, url=url, token=token)


def _jira_login(work: Work) -> JiraLogin:
    """OAuth 2 before a personal access token, before a token of a user, before a password (newer, rancher_support)."""

    def text(name: str) -> str:
        return str(work.constance[f"ATLASSIAN_{name}"] or "")

    known: dict[str, Any] = work.constance.given(["ATLASSIAN_VERIFY_SSL"])
    verify = bool(known.get("ATLASSIAN_VERIFY_SSL", work.constance.keeps_settings))
    of_client = text("OAUTH2_ACCESS_TOKEN") if text("OAUTH2_CLIENT_ID") else ""
    if bearer := of_client or text("PERSONAL_ACCESS_TOKEN"):
        return JiraLogin(text("API_URL"), verify, bearer=bearer)
    if token := text("TOKEN"):
        return JiraLogin(text("API_URL"), verify, basic=(text("EMAIL") or text("USERNAME"), token))
    return JiraLogin(text("API_URL"), verify, basic=(text("USERNAME"), text("PASSWORD")))
