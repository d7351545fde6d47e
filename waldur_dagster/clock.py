"""The clock, read here and nowhere else: jobs are told for which instant they work."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)
