"""Names of accounts in offerings, by the policy of each offering (spec people 0.4)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LONGEST = 100  # characters of marketplace_offeringuser.username
PREFIX = "walduruser_"
ANONYMIZED, FULL_NAME, WALDUR, FREEIPA = "anonymized", "full_name", "waldur_username", "freeipa"
IDENTITY_CLAIM = "identity_claim"  # of newer versions
NUMBERED = (ANONYMIZED, FULL_NAME)


@dataclass(frozen=True)
class Person:
    """What names are made of; ``profile`` is the name at FreeIPA, ``claim`` the one in the user's details."""

    username: str
    first_name: str
    last_name: str
    profile: str | None = None
    claim: str | None = None


@dataclass
class Series:
    """The numbers given out in one offering, by the lower-case text before them."""

    highest: dict[str, int] = field(default_factory=dict)

    def note(self, name: str, prefix: str | None) -> None:
        """An account that is there: its number counts after ``prefix``, or after its last ``_`` when that is None.

        Case does not matter, since LDAP and most clusters know none. A name of any other form is no part of a series.
        """
        low = name.lower()
        base = low[: low.rfind("_") + 1] if prefix is None else prefix.lower()
        number = low[len(base) :]
        if low.startswith(base) and (base or prefix is not None) and number.isascii() and number.isdigit():
            self.highest[base] = max(self.highest.get(base, -1), int(number))

    def next(self, base: str, width: int) -> str:
        """The name with the number after the highest; gaps stay."""
        number = self.highest[base.lower()] = self.highest.get(base.lower(), -1) + 1
        return f"{base}{number:0{width}}"


def prefix_of(policy: str | None, options: Mapping[str, Any]) -> str | None:
    """What stands before the numbers of anonymized names; None for other policies."""
    if policy != ANONYMIZED:
        return None
    prefix = options.get("username_anonymized_prefix", PREFIX)
    return prefix if isinstance(prefix, str) else PREFIX


def username(policy: str | None, prefix: str | None, person: Person, series: Series) -> str:
    """The name of a new account; empty where the provider is to fill it in, or the policy is unknown."""
    if policy == ANONYMIZED:
        return series.next(PREFIX if prefix is None else prefix, 5)
    if policy == FULL_NAME:
        return series.next(f"{_plain(person.first_name)}_{_plain(person.last_name)}_", 2)
    names = {WALDUR: person.username, FREEIPA: person.profile, IDENTITY_CLAIM: person.claim}
    return names.get(policy or "") or ""


def _plain(name: str) -> str:
    """Lower case, ``_`` for white space, letters and digits of ASCII: accents are taken off, the rest is left out."""
    words = re.sub(r"\s+", "_", name.strip().lower())
    plain = unicodedata.normalize("NFKD", re.sub(r"[^\w]", "", words)).encode("ascii", "ignore").decode()
    return plain.lower()  # some letters of mathematics become capitals
