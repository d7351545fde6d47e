"""When a booked resource is used: the slots that its attributes list."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

BOOKING = "Marketplace.Booking"


class UnreadableSchedule(Exception):
    """A booking does not say when it begins; the text says what is wrong with it."""


def slot_starts(attributes: Any) -> list[datetime]:
    """The instants at which the slots of a booking begin, aware; a text without an offset is UTC.

    Raises UnreadableSchedule when there is no slot, or one without a readable start.
    """
    slots = attributes.get("schedules") if isinstance(attributes, Mapping) else None
    if not isinstance(slots, list) or not slots:
        raise UnreadableSchedule("has no list of slots in attributes.schedules")
    return [_start(slot) for slot in slots]


def _start(slot: Any) -> datetime:
    text = slot.get("start") if isinstance(slot, Mapping) else None
    try:
        start = datetime.fromisoformat(str(text))
    except ValueError:
        raise UnreadableSchedule(f"has a slot whose start is no time: {text!r}") from None
    return start if start.tzinfo else start.replace(tzinfo=UTC)
