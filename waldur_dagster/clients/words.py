"""The one place that turns an exception of an outside system into words that may be shown and kept."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

LONGEST = 300  # characters
SHORTEST_SECRET = 4  # shorter values would take letters out of every word
HIDDEN = "***"

_USERINFO = re.compile(r"(?<=://)[^/\s@]+@")
_QUERY = re.compile(r"([?&][^=&\s]{1,100}=)[^&\s'\">)\]]+")


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


def without(text: str, secrets: Iterable[str]) -> str:
    """The text with secrets masked, as they are and as they stand in addresses."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET:
            for form in {secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1]}:
                text = text.replace(form, HIDDEN)
    return _QUERY.sub(rf"\1{HIDDEN}", _USERINFO.sub(f"{HIDDEN}@", text))


def _one_line(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."
