"""The classes of policies, their actions, and which months they look at (spec quotas, check-polices)."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, Text, and_, literal, or_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.functions import func

from waldur_dagster.schema import policy


class Action(StrEnum):
    NOTIFY_TEAM = "notify_project_team"
    NOTIFY_OWNERS = "notify_organization_owners"
    TERMINATE = "terminate_resources"
    DOWNSCALE = "request_downscaling"
    PAUSE = "request_pausing"
    RESTRICT = "restrict_members"
    BLOCK_CREATION = "block_creation_of_new_resources"
    BLOCK_CHANGES = "block_modification_of_existing_resources"


# Waldur itself refuses what these forbid, as long as the policy has fired; there is nothing to do at that moment.
LASTING = frozenset({Action.BLOCK_CREATION, Action.BLOCK_CHANGES})


@dataclass(frozen=True, eq=False)
class PolicyClass:
    """One of Waldur's models of a policy. ``groups`` are the organization groups whose customers it looks at."""

    table: Table
    scope: str
    allowed: frozenset[Action]
    groups: Table | None = None

    @property
    def immediate(self) -> frozenset[Action]:
        return self.allowed - LASTING

    def has_immediate_action(self) -> ColumnElement[bool]:
        return has_action(self.table, self.immediate)

    def actions(self, stored: str) -> tuple[Action, ...]:
        """The immediate actions of a policy in their order; names that are unknown or not allowed mean nothing."""
        names = dict.fromkeys(stored.split(","))
        return tuple(Action(name) for name in names if name in self.immediate)


ON_CUSTOMERS = frozenset(Action) - {Action.NOTIFY_TEAM}
ON_OFFERINGS = frozenset({Action.NOTIFY_OWNERS, Action.BLOCK_CREATION})

PROJECT_COST = PolicyClass(policy.projectestimatedcostpolicy, "Project", frozenset(Action))
CUSTOMER_COST = PolicyClass(policy.customerestimatedcostpolicy, "Customer", ON_CUSTOMERS)
OFFERING_COST = PolicyClass(
    policy.offeringestimatedcostpolicy, "Offering", ON_OFFERINGS, policy.offeringestimatedcostpolicy_organization_groups
)
OFFERING_USAGE = PolicyClass(
    policy.offeringusagepolicy, "Offering", ON_OFFERINGS, policy.offeringusagepolicy_organization_groups
)


@dataclass(frozen=True)
class Policy:
    """A policy whose state has to change. ``limit`` is what a mail says was exceeded."""

    kind: PolicyClass
    id: int
    uuid: UUID
    scope_id: int
    actions: tuple[Action, ...]
    limit: str
    triggered: bool

    def __str__(self) -> str:
        return f"policy {self.uuid.hex} of {self.kind.scope.lower()} {self.scope_id}"


@dataclass(frozen=True)
class Choice:
    """Which policies of a class are evaluated: all of them, or those with an immediate action on some scopes."""

    scopes: Select[Any] | None = None

    def of(self, kind: PolicyClass) -> list[ColumnElement[bool]]:
        if self.scopes is None:
            return []
        return [kind.table.c.scope_id.in_(self.scopes), kind.has_immediate_action()]


def has_action(table: Any, actions: frozenset[Action]) -> ColumnElement[bool]:
    """Whether a policy has one of the actions."""
    names = literal(sorted(actions), ARRAY(Text))
    return func.string_to_array(table.c.actions, ",").op("&&")(names)


# Months before this one that a policy looks at, by its period; any other period means all time.
MONTHS_BEFORE = {2: 0, 3: 2, 4: 11}
Within = Callable[[date, date], ColumnElement[bool]]


def in_period(period: ColumnElement[int], today: date, within: Within) -> ColumnElement[bool]:
    """Whether something is of a month that a policy with this period looks at.

    ``within`` tells it for the months from a first day to a last day. There is a term for each period, with plain
    months in it: so PostgreSQL can tell from its statistics how little of the past is needed.
    """
    last = today.replace(day=monthrange(today.year, today.month)[1])
    chosen = (and_(period == kind, within(_first_day(last, before), last)) for kind, before in MONTHS_BEFORE.items())
    return or_(period.not_in(MONTHS_BEFORE), *chosen)


def _first_day(day: date, months_before: int) -> date:
    number = day.year * 12 + day.month - 1 - months_before
    return date(number // 12, number % 12 + 1, 1)
