"""Events of policies; no object's log shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Integer, Text, select
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import given_rows, json_list
from waldur_dagster.policies.classes import Policy
from waldur_dagster.work import Work


def log_policy_events(work: Work, policy: Policy, events: Sequence[tuple[str, str, dict[str, Any]]]) -> None:
    """Write events of one policy: (type, message, what the context holds besides the policy)."""
    if not events:
        return
    rows = [
        {
            "position": position,
            "event_type": event_type,
            "message": message,
            "context": {"policy_uuid": policy.uuid.hex} | context,
        }
        for position, (event_type, message, context) in enumerate(events)
    ]
    given = given_rows(rows, position=Integer, event_type=Text, message=Text, context=JSONB)
    log_events(
        work,
        select(given.c.event_type, given.c.message, given.c.context, json_list().label("feeds")).order_by(
            given.c.position
        ),
    )
