"""Fixed price contracts: payment profiles with what staff wrote into their free attributes."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from waldur_dagster.work import Work

FIXED_PRICE = "fixed_price"


def contract_attributes(work: Work, attributes: Any, owner: str) -> dict[str, Any]:
    """What staff wrote about a contract; anything but a JSON object is reported and counts as nothing."""
    if isinstance(attributes, dict) or attributes is None:
        return attributes or {}
    work.outcome.warn(f"contract of {owner}", "its attributes are no JSON object")
    return {}


def contract_end(work: Work, attributes: dict[str, Any], owner: str) -> date | None:
    """The end date of a contract: the first ten characters of ``attributes.end_date``, when they are a date.

    Anything else there is reported as a warning and counts as no end date.
    """
    written = attributes.get("end_date")
    if written in (None, ""):
        return None
    found = re.match(r"\d{4}-\d{2}-\d{2}", written) if isinstance(written, str) else None
    try:
        if found:
            return date.fromisoformat(found[0])
    except ValueError:
        pass
    work.outcome.warn(f"contract of {owner}", f"its end date {written!r} is not a date")
    return None
