"""eduTEAMS: what its proxy knows of a person, and the SSH keys of everybody (spec people)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from waldur_dagster.clients.closing import Closing
from waldur_dagster.clients.failures import Incomplete, ItemFailed, LoginRefused, NotFound
from waldur_dagster.clients.json_api import JsonApi

KEYS = "api/vo/puhuri/ssh_keys"


@dataclass(frozen=True)
class Token:
    """A token for calls, and the one to get the next with, where the proxy gave a new one."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)


@dataclass(frozen=True)
class Keys:
    """The SSH keys on somebody's list that can be read; ``whole`` when there are no others, so that he has no more."""

    texts: list[str]
    whole: bool


@dataclass(frozen=True)
class Person:
    """What the proxy says of somebody; ``email`` is None where it says nothing that can be read."""

    first_name: str
    last_name: str
    email: str | None
    assurance: list[Any]
    affiliations: list[Any]
    keys: Keys


def new_token(url: str, client_id: str, secret: str, refresh_token: str, scope: str) -> Token:
    """Exchange a refresh token. Raises LoginRefused when it is not taken, ItemFailed or SystemFailed."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "scope": scope}
    with JsonApi(url, auth=(client_id, secret), secrets=[secret, refresh_token]) as proxy:
        try:
            answer = proxy.json(proxy.ask("POST", url, data=form))
        except ItemFailed as problem:
            raise LoginRefused(f"no token was given: {problem}") from None
    access = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(access, str) or not access:
        raise ItemFailed("the answer holds no access_token")
    refresh = answer.get("refresh_token")
    return Token(access, refresh if isinstance(refresh, str) and refresh else None)


def all_keys(url: str, username: str, password: str) -> dict[str, Any]:
    """What is known of everybody's SSH keys, by name: ``{"ssh_keys": [...]}``. Raises VisitFailed."""
    with JsonApi(url, auth=(username, password), secrets=[password]) as api:
        answer = api.get(KEYS)
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict):
        raise Incomplete("the answer has no keys by name (data)")
    return data


class Proxy(Closing):
    """The proxy with a token, for questions about people. A context manager."""

    def __init__(self, url: str, token: str):
        self._api = JsonApi(url, headers={"Authorization": f"Bearer {token}"}, secrets=[token])

    def person(self, username: str) -> Person | None:
        """Somebody by his name; None when the proxy no longer knows him.

        Raises ItemFailed for an answer about somebody else or without names, and what JsonApi raises.
        """
        try:
            answer = self._api.get(quote(username, safe="@"))
        except NotFound:
            return None
        if not isinstance(answer, dict):
            raise ItemFailed("the answer is no JSON object")
        if (answer.get("sub") or answer.get("voperson_id")) != username:
            raise ItemFailed("the answer is about somebody else")
        names = [answer.get(name) for name in ("given_name", "family_name")]
        if not all(isinstance(name, str) for name in names):
            raise ItemFailed("the answer lacks given_name or family_name")
        return Person(
            first_name=str(names[0]),
            last_name=str(names[1]),
            email=_email(answer),
            assurance=_list(answer, "eduperson_assurance"),
            affiliations=_list(answer, "voperson_external_affiliation"),
            keys=_keys(answer),
        )

    def close(self) -> None:
        self._api.close()


def _email(answer: dict[str, Any]) -> str | None:
    """The first address of ``mail``, or where there is none that of ``email``."""
    mails = answer.get("mail")
    first = mails[0] if isinstance(mails, list) and mails else mails
    return next((mail for mail in (first, answer.get("email")) if isinstance(mail, str) and mail), None)


def _list(answer: dict[str, Any], name: str) -> list[Any]:
    value = answer.get(name)
    return value if isinstance(value, list) else [value] if isinstance(value, str) and value else []


def _keys(answer: dict[str, Any]) -> Keys:
    """A person who has none has no such claim."""
    claim = answer.get("ssh_public_key")
    return keys_on([] if claim is None else claim)


def keys_on(value: Any) -> Keys:
    """What a list of keys holds; nothing is known where it is no list."""
    if not isinstance(value, list):
        return Keys([], whole=False)
    texts = [item for item in value if isinstance(item, str)]
    return Keys(texts, whole=len(texts) == len(value))
