"""What remotes tell of resources, and of orders that were placed there (spec remote 1.2 and 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from waldur_dagster.clients.waldur import Document, Instant, Uuid, Words
from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.remote.orders import Order

Values = dict[str, Any]


class RemoteResource(Document):
    """A resource as its remote has it; ``backend_id`` is what the remote itself knows it by."""

    state: Words
    backend_id: Words = ""
    report: list[Any] | dict[str, Any] | None = None
    attributes: Values = Field(default_factory=dict)
    options: Values | None = None


FIELDS = tuple(RemoteResource.model_fields)


class NewOrder(Document):
    """An order that was placed at the remote, by people there. Tracebacks are shown to staff only."""

    uuid: Uuid
    state: Words
    type: Words
    created: Instant
    attributes: Values = Field(default_factory=dict)
    limits: Values = Field(default_factory=dict)
    error_message: Words = ""
    error_traceback: Words = ""
    consumer_reviewed_at: Instant | None = None


@dataclass(frozen=True)
class PulledResource:
    """What was pulled of a resource. ``given`` are the fields that the answer has, ``state`` is None when nobody here
    knows it. ``orders`` are not known here; ``ended`` are orders that are open here, by id, and have ended there."""

    found: RemoteResource
    given: frozenset[str]
    state: ResourceState | None
    orders: tuple[NewOrder, ...]
    ended: Mapping[int, Order]
