"""What remotes report of usage (spec remote 1.2 and 7)."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal

from waldur_dagster.clients.waldur import Amount, Document, Instant, Uuid, Words

REUSED = "reuse"


class Usage(Document):
    """How much of a component was used in a month under one of the remote's plans.

    Whether it repeats itself is told by ``recurring`` up to 2024, later by a policy.
    """

    uuid: Uuid
    type: Words
    usage: Amount
    date: Instant
    billing_period: datetime.date
    created: Instant | None = None
    description: Words = ""
    recurring: bool = False
    missing_usage_policy: Words = ""

    @property
    def repeats(self) -> bool:
        return self.recurring or self.missing_usage_policy == REUSED


class UserUsage(Document):
    """What one account of the remote used of it."""

    username: Words = ""
    component_type: Words
    billing_period: datetime.date
    usage: Amount = Decimal(0)


@dataclass(frozen=True)
class Reports:
    """What a remote reports of one resource."""

    usages: tuple[Usage, ...] = ()
    by_user: tuple[UserUsage, ...] = ()
