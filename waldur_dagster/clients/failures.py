"""How what goes wrong at outside systems is told apart: by what it means for the others that are still to be visited.

The texts are shown to people: they say what was asked and carry the system's own words, and never a secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from waldur_dagster.words import masked

SHOWN = 300  # characters of an answer
TRIED_AGAIN = frozenset({429, 500, 502, 503, 504})


class VisitFailed(Exception):
    """Something was not done at an outside system; ``status`` and ``document`` are those of its answer: the latter is
    empty where it was no JSON object, or there was none."""

    status: int | None = None
    document: Mapping[str, Any] = MappingProxyType({})


class ItemFailed(VisitFailed):
    """One item cannot be done; it says nothing about the others."""


class NotFound(ItemFailed):
    """The system answers, and has no such thing."""


class Incomplete(ItemFailed):
    """A list was not read to its end: what it does not hold may exist all the same."""


class SystemFailed(VisitFailed):
    """The system does not answer, or is not well; several in a row mean that it is down."""


class LoginRefused(SystemFailed):
    """The system refuses the credentials: whatever else is asked with them will be refused as well."""


class NotInstalled(SystemFailed):
    """A library is missing where this program runs, which says nothing about the system."""


def failure_of(status: int, words: str, body: str = "") -> VisitFailed:
    """What an answer other than 2xx means: 401, 404, "try again later" and the rest."""
    kinds = {401: LoginRefused, 404: NotFound}
    failure = kinds.get(status, SystemFailed if status in TRIED_AGAIN else ItemFailed)(words)
    failure.status, failure.document = status, _object(body)
    return failure


def words_of(body: str, secrets: Iterable[str] = ()) -> str:
    """What a person can read of an error answer: the message in its JSON, or its text, shortened, without secrets."""
    try:
        said = _message(json.loads(body)) or body
    except (ValueError, RecursionError):
        said = re.sub(r"<[^>]*>", " ", body)
    return without_secrets(" ".join(said.split()), secrets)[:SHOWN]


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret in it, and the user part of every address, covered."""
    return masked(text, secrets)


def _object(body: str) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


def _message(value: Any) -> str:
    """The first text under a key that such answers use, however deep: ``{"itemNotFound": {"message": ...}}``."""
    if isinstance(value, dict):
        for key in ("message", "detail", "error_description", "errorMessage", "error", "title"):
            if isinstance(value.get(key), str) and value[key]:
                return str(value[key])
        value = list(value.values())
    if isinstance(value, list):
        return next((said for part in value if (said := _message(part))), "")
    return ""
