"""FreeIPA's JSON-RPC interface, through python-freeipa (spec people 0.6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import requests
from python_freeipa import ClientMeta
from python_freeipa.exceptions import DuplicateEntry, FreeIPAError

from waldur_dagster.clients.http import TIMEOUT


class FreeIpaFailed(Exception):
    """FreeIPA cannot be reached, or refuses; the text has no secrets."""


class FreeIpa:
    """A session with the site's FreeIPA server; logs in at the first call. A context manager.

    The setting HOSTNAME is a name, or a URL where the server is not reached by https.
    """

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

    def add_user(self, username: str, facts: Mapping[str, Any]) -> None:
        """Make an account of which ``facts`` has FreeIPA's attributes; one that exists already stays as it is.

        Raises FreeIpaFailed.
        """
        options = {f"o_{name}": value for name, value in facts.items() if value not in (None, "", [])}
        given, family, full = (options.pop(f"o_{name}", "N/A") for name in ("givenname", "sn", "cn"))
        try:
            self._log_in()
            self._client.user_add(username, given, family, full, **options)
        except DuplicateEntry:
            return
        except (FreeIPAError, requests.RequestException, ValueError) as error:
            raise FreeIpaFailed(f"FreeIPA at {self.hostname}: {self._plain(error)}") from None

    def _log_in(self) -> None:
        if not self._logged_in:
            self._client.login(self._username, self._password)
            self._logged_in = True

    def _plain(self, error: Exception) -> str:
        """What went wrong; FreeIPA's own words where it gave some, without the password."""
        said = str(error).replace(self._password, "***") if self._password else str(error)
        return f"{type(error).__name__} {said}".strip()

    def close(self) -> None:
        self._client._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Session(requests.Session):
    """Each request has a time limit; a HOSTNAME that is a URL keeps its scheme."""

    def request(self, method: Any, url: Any, *args: Any, **options: Any) -> requests.Response:
        options.setdefault("timeout", TIMEOUT)
        address = str(url)
        if address.startswith(("https://http://", "https://https://")):
            address = address.removeprefix("https://")
        return super().request(method, address, *args, **options)
