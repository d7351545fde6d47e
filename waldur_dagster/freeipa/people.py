"""What FreeIPA is told of a person (spec people 0.5 and 0.6)."""

from __future__ import annotations

from typing import Any

MISSING = "N/A"  # FreeIPA wants both names


def names(first_name: str, last_name: str) -> dict[str, Any]:
    """The attributes that hold a person's name."""
    full = f"{first_name} {last_name}".strip()
    return {"givenname": first_name or MISSING, "sn": last_name or MISSING, "cn": full, "displayname": full}
