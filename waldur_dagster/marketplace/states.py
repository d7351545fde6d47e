"""State codes of resources and orders, with the words that Waldur shows for them (spec marketplace 0.1)."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from sqlalchemy import ColumnElement, Text, case, literal


class ResourceState(IntEnum):
    CREATING = 1
    OK = 2
    ERRED = 3
    UPDATING = 4
    TERMINATING = 5
    TERMINATED = 6

    @property
    def shown(self) -> str:
        return "OK" if self is ResourceState.OK else self.name.capitalize()


class OfferingState(IntEnum):
    DRAFT = 1
    ACTIVE = 2
    PAUSED = 3
    ARCHIVED = 4


class OrderState(IntEnum):
    PENDING_CONSUMER = 1
    EXECUTING = 2
    DONE = 3
    ERRED = 4
    CANCELED = 5
    REJECTED = 6
    PENDING_PROVIDER = 7
    PENDING_PROJECT = 8
    PENDING_START_DATE = 9

    @property
    def shown(self) -> str:
        return self.name.lower().replace("_", "-")


# Orders in these states can still come to something; in all others they have ended.
OPEN_ORDERS = (
    OrderState.PENDING_CONSUMER,
    OrderState.PENDING_PROVIDER,
    OrderState.PENDING_PROJECT,
    OrderState.PENDING_START_DATE,
    OrderState.EXECUTING,
)


class OrderType(IntEnum):
    CREATE = 1
    UPDATE = 2
    TERMINATE = 3
    RESTORE = 4

    @property
    def shown(self) -> str:
        return self.name.capitalize()


def shown(kind: type[ResourceState | OrderState | OrderType], code: ColumnElement[Any]) -> ColumnElement[str]:
    """The word for a code in a column."""
    return case({state.value: literal(state.shown, Text) for state in kind}, value=code, else_="")
