"""State codes of resources, offerings and orders (spec marketplace 0.1)."""

from __future__ import annotations

from enum import IntEnum

from waldur_dagster.platform.state_codes import ResourceState, Shown


class OfferingState(IntEnum):
    DRAFT = 1
    ACTIVE = 2
    PAUSED = 3
    ARCHIVED = 4


class OrderState(Shown):
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


class OrderType(Shown):
    CREATE = 1
    UPDATE = 2
    TERMINATE = 3
    RESTORE = 4


__all__ = ["OPEN_ORDERS", "OfferingState", "OrderState", "OrderType", "ResourceState"]
