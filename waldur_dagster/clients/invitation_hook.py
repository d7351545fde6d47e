"""The web hook of invitations: an address that takes them instead of a mail server, behind OAuth client credentials.

Spec core 4, process-pending-project-invitations, B2.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from waldur_dagster.clients.http import TIMEOUT, request

SHOWN = 500  # characters of an answer in an error
PASSING_ANSWERS = frozenset({401, 403, 408, 425, 429})
DEFAULT_VALIDITY = 60.0  # seconds, of a token that does not say
MARGIN = 10.0


class InvitationNotSent(Exception):
    """The hook has not taken the invitation; ``final`` when another try cannot help."""

    def __init__(self, reason: str, *, final: bool = False):
        super().__init__(reason)
        self.final = final


@dataclass(frozen=True)
class Token:
    value: str
    valid_until: float  # of time.monotonic()


class InvitationHook:
    """One hook for a round of deliveries; a token serves as long as it is valid."""

    def __init__(self, url: str, token_url: str, client_id: str, secret: str):
        self._url, self._token_url = url, token_url
        self._credentials = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        self._token: Token | None = None
        self._client = httpx.Client(timeout=TIMEOUT)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> InvitationHook:
        """The hook that the site's settings WALDUR_CORE.INVITATION_WEBHOOK_... name."""
        names = ("URL", "TOKEN_URL", "TOKEN_CLIENT_ID", "TOKEN_SECRET")
        return cls(*(settings[f"WALDUR_CORE.INVITATION_WEBHOOK_{name}"] for name in names))

    def invite(self, fields: Mapping[str, Any]) -> None:
        """Hand one invitation over. Raises InvitationNotSent with address, status and answer, without secrets."""
        headers = {"Authorization": f"Bearer {self._valid_token()}"}
        answer = self._post(self._url, "the invitation web hook", json=dict(fields), headers=headers)
        if not answer.is_success:
            if answer.status_code in {401, 403}:
                self._token = None
            final = answer.is_client_error and answer.status_code not in PASSING_ANSWERS
            raise InvitationNotSent(f"The invitation web hook {_said(self._url, answer)}", final=final)

    def _valid_token(self) -> str:
        if self._token is None or self._token.valid_until <= time.monotonic():
            self._token = self._new_token()
        return self._token.value

    def _new_token(self) -> Token:
        asked = time.monotonic()
        answer = self._post(
            self._token_url, "the token address of the web hook", data=self._credentials, headers={"Accept": "*/*"}
        )
        if answer.status_code != httpx.codes.OK:
            raise InvitationNotSent(f"The token address of the web hook {_said(self._token_url, answer)}")
        try:
            document = answer.json()
            value, validity = str(document["access_token"]), float(document.get("expires_in") or DEFAULT_VALIDITY)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise InvitationNotSent(f"The answer of {self._token_url} has no access_token.") from None
        return Token(value, asked + validity - MARGIN)

    def _post(self, url: str, what: str, **options: Any) -> httpx.Response:
        try:
            return request(self._client, "POST", url, **options)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise InvitationNotSent(f"No answer from {what} {url}: {type(error).__name__}: {error}") from None

    def close(self) -> None:
        self._client.close()


def _said(url: str, answer: httpx.Response) -> str:
    return f"{url} answers {answer.status_code}: {answer.text[:SHOWN]}"
