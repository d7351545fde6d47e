"""What libraries that are made of requests are given, and how what they answer and raise is told (see ``failures``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import requests

from waldur_dagster.clients.failures import (
    ItemFailed,
    NotInstalled,
    SystemFailed,
    failure_of,
    without_secrets,
    words_of,
)
from waldur_dagster.clients.patience import PatientAdapter


def make_patient(session: requests.Session) -> requests.Session:
    """Every call of the session is patient (``PatientAdapter``), and none follows a server to another address.

    A session that logs in by a header keeps it: without a way to log in requests would take one from ``.netrc``.
    """
    for scheme in ("http://", "https://"):
        session.mount(scheme, PatientAdapter(pool_maxsize=16))
    session.max_redirects = 0
    session.auth = session.auth or (lambda request: request)
    return session


def do_not_warn() -> None:
    """The site has switched verification off: it needs no warning of every call."""
    import urllib3

    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)


@contextmanager
def library(extra: str) -> Iterator[None]:
    """Imports in the block are of libraries that come with an extra of the package. Raises NotInstalled without it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise NotInstalled(f"{error.name} is not installed: install waldur-dagster[{extra}]") from None


@contextmanager
def understood(what: str, secrets: Iterable[str] = ()) -> Iterator[None]:
    """What requests raises in the block, which asks for ``what``, is raised as SystemFailed."""
    try:
        yield
    except requests.RequestException as error:
        said = without_secrets(str(error), secrets)
        raise SystemFailed(f"{what} was not answered: {type(error).__name__}: {said}") from None


def checked(answer: requests.Response, what: str, secrets: Iterable[str] = (), *, said: str = "") -> requests.Response:
    """An answer of 2xx; raises what any other means (``failure_of``), with its own words or ``said``."""
    if not 200 <= answer.status_code < 300:
        words = said or words_of(answer.text, secrets)
        raise failure_of(answer.status_code, f"{what} was answered with HTTP {answer.status_code}: {words}")
    return answer


def json_of(answer: requests.Response, what: str) -> Any:
    """The value of an answer's JSON. Raises ItemFailed when it is none."""
    try:
        return answer.json()
    except (ValueError, RecursionError):
        raise ItemFailed(f"{what} was answered with no JSON") from None
