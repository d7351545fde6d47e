"""The classes of policies, their actions, and which months they look at (spec quotas, check-polices)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Select, Table, Text, case, literal, or_
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


def month_number(year: Any, month: Any) -> Any:
    return year * 12 + month


def in_period(period: ColumnElement[int], number: ColumnElement[Any], today: date) -> ColumnElement[bool]:
    """Whether a month, as ``month_number`` counts it, is one that a policy with this period looks at."""
    this = month_number(today.year, today.month)
    first = this - case(MONTHS_BEFORE, value=period, else_=literal(0, Integer))
    return or_(period.not_in(MONTHS_BEFORE), number.between(first, this))
