"""Events of policies. Newer versions show some of them in the log of the policy's scope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Integer, Text, select
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.policies.classes import Policy
from waldur_dagster.work import Work

# (content type, id) of the objects whose log shows an event.
Feeds = Sequence[tuple[int, int]]


class PolicyEvent(NamedTuple):
    """``context`` is what it says besides the policy."""

    event_type: str
    message: str
    context: Mapping[str, Any] = MappingProxyType({})
    feeds: Feeds = ()


def log_policy_events(work: Work, policy: Policy, events: Sequence[PolicyEvent]) -> None:
    """Write events of one policy, in one statement."""
    if not events:
        return
    rows = [
        {
            "position": position,
            "event_type": event.event_type,
            "message": event.message,
            "context": {"policy_uuid": policy.uuid.hex, **event.context},
            "feeds": [list(feed) for feed in event.feeds],
        }
        for position, event in enumerate(events)
    ]
    given = given_rows(rows, position=Integer, event_type=Text, message=Text, context=JSONB, feeds=JSONB)
    log_events(
        work,
        select(
            given.c.event_type,
            given.c.message,
            given.c.context,
            given.c.feeds,
        ).order_by(given.c.position),
    )
