"""The one place that turns an exception of an outside system into words that may be shown and kept.

The secrets of a deployment are kept here as soon as its site is used, and those that the site keeps encrypted when they
are opened: no text that is made here holds one of them, whoever has said it.
"""

from __future__ import annotations

import json
import re
import smtplib
from base64 import b64decode
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

LONGEST = 300  # characters
SHORTEST_SECRET = 4  # shorter values would take letters out of every word
HIDDEN = "***"

_USERINFO = re.compile(r"(?<=://)[^/\s@]+@")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{8,}={0,2}")
_QUERY = re.compile(r"([?&][^=&\s]{1,100}=)[^&\s'\">)\]]+")


_kept: set[str] = set()


def keep_secret(*values: object) -> None:
    """Never show these values, from now on in this process; what is no text, or too short to be looked for, may be."""
    _kept.update(value for value in values if isinstance(value, str) and len(value) >= SHORTEST_SECRET)


def forget_secrets() -> None:
    """For a process that goes on to another deployment: what is kept masks words."""
    _kept.clear()


def chain(problem: BaseException) -> Iterator[BaseException]:
    """An exception, and those that it was raised from or while handling."""
    seen: list[BaseException] = []
    at: BaseException | None = problem
    while at is not None and at not in seen:
        seen.append(at)
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return iter(seen)


def tells_secrets(problem: BaseException) -> bool:
    """Whether a text of an exception, or of one that it comes from, shows what is to be kept."""
    return any(without(str(one)) != str(one) for one in chain(problem))


def in_words(problem: BaseException | str, secrets: Iterable[str] = ()) -> str:
    """What happened, in one line, without the given secrets, user names and passwords of addresses, and query values.

    Of an SMTP answer only the code is told: servers repeat what they were sent.
    """
    if isinstance(problem, str):
        said = problem
    elif isinstance(problem, smtplib.SMTPResponseException):
        said = f"{type(problem).__name__} {problem.smtp_code}"
    else:
        # A TypeError or UnicodeError shows the value that it met.
        told = "" if isinstance(problem, (UnicodeError, TypeError, KeyError)) else str(problem)
        said = f"{type(problem).__name__}: {told}".removesuffix(": ")
    return _one_line(without(said, secrets))


def without(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with secrets masked, those that are kept and the given ones, in every form; query values too."""
    return _QUERY.sub(rf"\1{HIDDEN}", masked(text, (one for one in {*_kept, *secrets} if len(one) >= SHORTEST_SECRET)))


def masked(text: str, secrets: Iterable[str]) -> str:
    """The text without these secrets, and without users of addresses.

    Systems repeat what they were sent: secrets are looked for as they are, as forms, addresses and JSON have them, and
    in the header of a name and a password.
    """
    known = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
    for secret in known:
        for form in {secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1], _in_json(secret)}:
            text = text.replace(form, HIDDEN)
    return _USERINFO.sub(f"{HIDDEN}@", _BASE64.sub(lambda found: _unless_it_holds(known, found[0]), text))


def _unless_it_holds(secrets: Iterable[str], word: str) -> str:
    padded = word.rstrip("=")
    try:
        held = b64decode(padded + "=" * (-len(padded) % 4), validate=True)
    except ValueError:
        return word
    hidden = any(len(secret) >= SHORTEST_SECRET and secret.encode() in held for secret in secrets)
    return HIDDEN if hidden else word


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _one_line(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."
