"""The classes of policies, their actions, and which months they look at (spec quotas, check-polices)."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, and_, or_

from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.marketplace.fired_policies import has_action
from waldur_dagster.schema import policy


class Action(StrEnum):
    NOTIFY_TEAM = "notify_project_team"
    NOTIFY_OWNERS = "notify_organization_owners"
    NOTIFY_EXTERNAL = "notify_external_user"
    TERMINATE = "terminate_resources"
    DOWNSCALE = "request_downscaling"
    PAUSE = "request_pausing"
    RESTRICT = "restrict_members"
    SLURM_DOWNSCALE = "request_slurm_resource_downscaling"
    SLURM_PAUSE = "request_slurm_resource_pausing"
    BLOCK_CREATION = "block_creation_of_new_resources"
    BLOCK_CHANGES = "block_modification_of_existing_resources"


# Waldur itself refuses what these forbid, as long as the policy has fired; there is nothing to do at that moment.
LASTING = frozenset({Action.BLOCK_CREATION, Action.BLOCK_CHANGES})
ON_SLURM = frozenset({Action.SLURM_DOWNSCALE, Action.SLURM_PAUSE})
# What these have set is taken back when the policy is released.
RESET = frozenset({Action.DOWNSCALE, Action.PAUSE, Action.RESTRICT}) | ON_SLURM


@dataclass(frozen=True, eq=False)
class PolicyClass:
    """One of Waldur's models of a policy. ``groups`` are the organization groups whose customers it looks at."""

    model: str
    table: Table
    scope: str
    allowed: frozenset[Action]
    groups: Table | None = None

    def immediate(self, schema: SiteSchema) -> frozenset[Action]:
        """What is done at the moment of firing. Addresses of its own a policy has where it has options."""
        unknown = frozenset() if schema.has(self.table.name, "options") else {Action.NOTIFY_EXTERNAL}
        return self.allowed - LASTING - unknown

    def has_immediate_action(self, schema: SiteSchema) -> ColumnElement[bool]:
        return has_action(self.table, self.immediate(schema))

    def actions(self, schema: SiteSchema, stored: str) -> tuple[Action, ...]:
        """The immediate actions of a policy in their order; names that are unknown or not allowed mean nothing."""
        names, allowed = dict.fromkeys(stored.split(",")), self.immediate(schema)
        return tuple(Action(name) for name in names if name in allowed)


ON_PROJECTS = frozenset(Action) - ON_SLURM
ON_CUSTOMERS = ON_PROJECTS - {Action.NOTIFY_TEAM}
ON_OFFERINGS = frozenset({Action.NOTIFY_OWNERS, Action.NOTIFY_EXTERNAL, Action.BLOCK_CREATION})

PROJECT_COST = PolicyClass("ProjectEstimatedCostPolicy", policy.projectestimatedcostpolicy, "Project", ON_PROJECTS)
CUSTOMER_COST = PolicyClass("CustomerEstimatedCostPolicy", policy.customerestimatedcostpolicy, "Customer", ON_CUSTOMERS)
OFFERING_COST = PolicyClass(
    "OfferingEstimatedCostPolicy",
    policy.offeringestimatedcostpolicy,
    "Offering",
    ON_OFFERINGS,
    policy.offeringestimatedcostpolicy_organization_groups,
)
OFFERING_USAGE = PolicyClass(
    "OfferingUsagePolicy",
    policy.offeringusagepolicy,
    "Offering",
    ON_OFFERINGS,
    policy.offeringusagepolicy_organization_groups,
)
CUSTOMER_USAGE = PolicyClass(
    "CustomerComponentUsagePolicy", policy.customercomponentusagepolicy, "Customer", ON_CUSTOMERS
)
# Its state, scope and actions stand in the row of the usage policy that it is a child of.
SLURM_USAGE = PolicyClass(
    "SlurmPeriodicUsagePolicy",
    policy.offeringusagepolicy,
    "Offering",
    ON_OFFERINGS | ON_SLURM,
    policy.offeringusagepolicy_organization_groups,
)


@dataclass(frozen=True, eq=False)
class Policy:
    """A policy whose state has to change, or that goes on: it had fired before, and still has reason to.

    Or, where it acts on single resources, one that may have something to take back there.

    ``limit`` is what a mail says was exceeded. ``resource_id`` narrows a project's policy to one resource. ``facts``
    are what is noted beside a flag that the policy sets. ``reached`` are the resources that an action is for, where a
    policy is about single resources.
    """

    kind: PolicyClass
    id: int
    uuid: UUID
    scope_id: int
    scope_name: str
    actions: tuple[Action, ...]
    limit: str
    triggered: bool
    has_fired: bool
    limit_cost: int | None = None
    resource_id: int | None = None
    external: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    reached: dict[Action, tuple[int, ...]] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"policy {self.uuid.hex} of {self.kind.scope.lower()} {self.scope_id}"

    @property
    def goes_on(self) -> bool:
        return self.triggered and self.has_fired


@dataclass(frozen=True)
class Choice:
    """Which policies of a class are evaluated: all of them, or those on some scopes.

    ``only_immediate``: of those, the ones with an immediate action.
    """

    schema: SiteSchema
    scopes: Select[Any] | None = None
    only_immediate: bool = True

    def of(self, kind: PolicyClass) -> list[ColumnElement[bool]]:
        if self.scopes is None:
            return []
        immediate = [kind.has_immediate_action(self.schema)] if self.only_immediate else []
        return [kind.table.c.scope_id.in_(self.scopes), *immediate]


# Months before this one that a policy looks at, by its period; any other period means all time.
MONTHS_BEFORE = {2: 0, 3: 2, 4: 11}
Within = Callable[[date, date], ColumnElement[bool]]


def in_period(
    period: ColumnElement[int], today: date, within: Within, always: ColumnElement[bool] | None = None
) -> ColumnElement[bool]:
    """Whether something is of a month that a policy with this period looks at.

    ``within`` tells it for the months from a first day to a last day, ``always`` for policies that look at all time.
    There is a term for each period, with plain months in it: so PostgreSQL can tell from its statistics how little of
    the past is needed.
    """
    last = today.replace(day=monthrange(today.year, today.month)[1])
    chosen = (and_(period == kind, within(_first_day(last, before), last)) for kind, before in MONTHS_BEFORE.items())
    total = period.not_in(MONTHS_BEFORE)
    return or_(total if always is None else and_(total, always), *chosen)


def _first_day(day: date, months_before: int) -> date:
    number = day.year * 12 + day.month - 1 - months_before
    return date(number // 12, number % 12 + 1, 1)
