"""What all declared tables are made with.

A table declares the columns that this program uses, and no others; sites have more. Keys, checks and indexes are the
database's own. A column or table that not every known version of Waldur has is marked ``OLDER`` (newer versions have
dropped it) or ``NEWER`` (October 2024 lacks it): statements use it only where the site has it, and no entry is
unavailable for lack of it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, MetaData, Table

metadata = MetaData()

OLDER: dict[str, Any] = {"versions": "older"}
NEWER: dict[str, Any] = {"versions": "newer"}


def is_optional(part: Table | Column[Any]) -> bool:
    """Whether a column, or a table, is one that only older or only newer versions of Waldur have."""
    return "versions" in part.info
