"""The web hook of invitations: an address that takes them instead of a mail server, behind OAuth client credentials.

Spec core 4, process-pending-project-invitations, B2.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from waldur_dagster.clients import http

SHOWN = 200  # bytes of an answer in an error
LONGEST_TOKEN = 2**16  # bytes of the answer that holds one
UNAVAILABLE = frozenset({502, 503, 504})  # said by what stands before the hook
DEFAULT_VALIDITY = 60.0  # seconds, of a token that does not say
MARGIN = 10.0


class InvitationNotSent(Exception):
    """The hook has not taken the invitation; the text holds no secret that this program knows, but may echo one."""


class HookDown(InvitationNotSent):
    """The hook or its token address cannot be reached."""


class HookMisconfigured(InvitationNotSent):
    """The token address refuses the site's credentials, or gives no token."""


class InvitationRefused(InvitationNotSent):
    """The hook does not want this invitation; another try cannot help."""


class InvitationUnanswered(InvitationNotSent):
    """The hook may have taken the invitation; ``slow`` when it took too long."""

    def __init__(self, reason: str, *, slow: bool):
        super().__init__(reason)
        self.slow = slow


@dataclass(frozen=True)
class Token:
    value: str
    valid_until: float  # of time.monotonic()


class InvitationHook:
    """One hook for a round of deliveries; a token serves as long as it is valid."""

    longest = 2 * http.TIMEOUT

    def __init__(self, url: str, token_url: str, client_id: str, secret: str):
        self._url, self._token_url = url, token_url
        self._credentials = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        self._token: Token | None = None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> InvitationHook:
        """The hook that the site's settings WALDUR_CORE.INVITATION_WEBHOOK_... name."""
        names = ("URL", "TOKEN_URL", "TOKEN_CLIENT_ID", "TOKEN_SECRET")
        return cls(*(settings[f"WALDUR_CORE.INVITATION_WEBHOOK_{name}"] for name in names))

    def log_in(self) -> str:
        """A token that is valid. Raises HookDown or HookMisconfigured."""
        if self._token is None or self._token.valid_until <= time.monotonic():
            self._token = self._new_token()
        return self._token.value

    def invite(self, fields: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        """Hand one invitation over. Raises InvitationNotSent with the status and the beginning of the answer."""
        bearer = {"Authorization": f"Bearer {self.log_in()}"}
        try:
            answer = http.post(self._url, read=SHOWN, json=dict(fields), headers=bearer | dict(headers))
        except http.NotReached as problem:
            raise HookDown(f"The invitation web hook: {problem}") from None
        except http.NoAnswer as problem:
            raise InvitationUnanswered(f"The invitation web hook: {problem}", slow=problem.slow) from None
        if answer.is_success:
            return
        reason = f"The invitation web hook answers {answer.status}: {answer.text}"
        if answer.status in {401, 403}:
            self._token = None
        if answer.status in UNAVAILABLE:
            raise HookDown(reason)
        raise (InvitationRefused if answer.is_refusal or answer.status < 400 else InvitationNotSent)(reason)

    def _new_token(self) -> Token:
        asked = time.monotonic()
        try:
            answer = http.post(
                self._token_url, read=LONGEST_TOKEN, data=self._credentials, headers={"Accept": "application/json"}
            )
        except http.Forbidden as problem:
            raise HookMisconfigured(f"The token address of the invitation web hook: {problem}") from None
        except http.CallFailed as problem:
            raise HookDown(f"The token address of the invitation web hook: {problem}") from None
        if answer.status != 200:
            kind = HookMisconfigured if 400 <= answer.status < 500 else HookDown
            raise kind(f"The token address of the invitation web hook answers {answer.status}: {answer.text[:SHOWN]}")
        try:
            document = answer.json()
            value, validity = str(document["access_token"]), float(document.get("expires_in") or DEFAULT_VALIDITY)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise HookMisconfigured(
                "The answer of the token address of the invitation web hook has no access_token."
            ) from None
        return Token(value, asked + validity - MARGIN)
