"""FreeIPA's JSON-RPC interface, through python-freeipa (spec people 0.6)."""

from __future__ import annotations

from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import Any, Self

from python_freeipa import ClientMeta
from python_freeipa.exceptions import DuplicateEntry, FreeIPAError, Unauthorized

from waldur_dagster.clients import http

UNAVAILABLE = frozenset({502, 503, 504})  # said by what stands before FreeIPA
LONGEST_ANSWER = 2**24  # bytes


class FreeIpaFailed(Exception):
    """FreeIPA does not do what it was asked for; the text is without the password of the session."""


class FreeIpaDown(FreeIpaFailed):
    """FreeIPA cannot be reached, or does not answer in time."""


class FreeIpaMisconfigured(FreeIpaFailed):
    """FreeIPA refuses the login, or its address is none."""


class FreeIpa:
    """A session with the site's FreeIPA server; logs in at the first call. A context manager.

    The setting HOSTNAME is a name, or a URL where the server is not reached by https. ``longest``: seconds that a call
    takes at most.
    """

    longest = http.TIMEOUT

    def __init__(self, hostname: str, username: str, password: str, *, verify: bool = True):
        self.hostname = hostname
        self._username, self._password = username, password
        self._client = ClientMeta(hostname, verify_ssl=verify, dns_discovery=False)
        self._client._session = _Session()
        self._logged_in = False

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """The server that the site's settings WALDUR_FREEIPA name. Raises BadSetting."""
        facts = settings["WALDUR_FREEIPA"]
        return cls(facts["HOSTNAME"], facts["USERNAME"], facts["PASSWORD"], verify=facts["VERIFY_SSL"])

    def log_in(self) -> None:
        """Begin the session, once. Raises FreeIpaDown or FreeIpaMisconfigured."""
        if not self._logged_in:
            try:
                self._client.login(self._username, self._password)
            except Exception as error:
                raise self._problem(error) from None
            self._logged_in = True

    def add_user(self, username: str, facts: Mapping[str, Any]) -> None:
        """Make an account of which ``facts`` has FreeIPA's attributes; one that exists already stays as it is.

        Raises FreeIpaFailed.
        """
        options = {f"o_{name}": value for name, value in facts.items() if value not in (None, "", [])}
        given, family, full = (options.pop(f"o_{name}", "N/A") for name in ("givenname", "sn", "cn"))
        self.log_in()
        try:
            self._client.user_add(username, given, family, full, **options)
        except DuplicateEntry:
            return
        except (FreeIPAError, http.CallFailed, ValueError, TypeError, KeyError) as error:
            raise self._problem(error) from None

    def _problem(self, error: Exception) -> FreeIpaFailed:
        """What went wrong; FreeIPA's own words where it gave some, without the password."""
        said = str(error).replace(self._password, "***") if self._password else str(error)
        words = f"FreeIPA at {self.hostname}: {type(error).__name__} {said}".strip()
        if isinstance(error, (Unauthorized, http.Forbidden)):
            return FreeIpaMisconfigured(words)
        return FreeIpaDown(words) if isinstance(error, http.CallFailed) else FreeIpaFailed(words)

    def close(self) -> None:
        """Nothing is open between calls."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Session:
    """What python-freeipa wants of a session of ``requests``, with a total deadline for each call.

    Keeps FreeIPA's cookie; a HOSTNAME that is a URL keeps its scheme.
    """

    def __init__(self) -> None:
        self._cookies: dict[str, str] = {}

    def post(self, url: str, *, headers: Mapping[str, str], data: Any, verify: bool, **_: Any) -> _Response:
        address = url.removeprefix("https://") if url.startswith(("https://http://", "https://https://")) else url
        cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        body = {"data": data} if isinstance(data, dict) else {"content": data}
        sent = dict(headers) | (cookies if self._cookies else {})
        answer = http.post(address, read=LONGEST_ANSWER, verify=verify, headers=sent, **body)
        if answer.status in UNAVAILABLE:
            raise http.NotReached(f"answers {answer.status}")
        for line in answer.headers.get_list("Set-Cookie"):
            self._cookies |= {name: crumb.value for name, crumb in SimpleCookie(line).items()}
        return _Response(answer)


class _Response:
    """An answer under the names that ``requests`` gives to its parts."""

    def __init__(self, answer: http.Answer):
        self.status_code, self.headers, self.text = answer.status, answer.headers, answer.text
        self.ok = answer.status < 400
        self.json = answer.json
