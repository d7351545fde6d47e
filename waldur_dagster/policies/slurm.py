"""SLURM policies: how much of its allocation each resource of an offering has used (spec newer_billing 3.4).

They act on single resources, each at a threshold of its own, and take back what they did when usage is below it again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from math import isfinite
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.platform.month import Month
from waldur_dagster.policies.classes import ON_SLURM, SLURM_USAGE, Action, Choice, Policy
from waldur_dagster.policies.costs import policy_columns, policy_facts
from waldur_dagster.policies.rules import of_affected_customers
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.schema import policy as tables
from waldur_dagster.work import Work

# What a unit of a component counts where the policy has no weights of its own; others count as they are.
WEIGHTS = {"cpu": 0.015625, "mem": 0.001953125, "gres/gpu": 0.25}
NOTIFIED_AT, DOWNSCALED_AT = 80, 100
MONTHS = {2: 1, 3: 3, 4: 12}
OF_LIMITS = {"month": 2, "quarterly": 3, "annual": 4, "total": 1}

policy, child = tables.offeringusagepolicy, tables.slurmperiodicusagepolicy
component, usage, resource = marketplace.offeringcomponent, marketplace.componentusage, marketplace.resource
project, customer, offering = structure.project, structure.customer, marketplace.offering


@dataclass
class Watched:
    """A policy's row, its period of time, and the percentage that each resource has used."""

    row: Any
    first: date | None
    last: date
    percent: dict[int, float] = field(default_factory=dict)

    @cached_property
    def weights(self) -> dict[str, float]:
        own = self.row.tres_billing_weights or WEIGHTS
        return {str(name).lower(): float(value) for name, value in own.items()}

    @property
    def before(self) -> tuple[date, date] | None:
        """First and last day of the period before this one."""
        if self.first is None:
            return None
        months = (self.last.year - self.first.year) * 12 + self.last.month - self.first.month + 1
        number = self.first.year * 12 + self.first.month - 1 - months
        return date(number // 12, number % 12 + 1, 1), self.first - timedelta(days=1)

    def weight(self, component_type: str) -> float:
        return self.weights.get(component_type.lower(), 1.0)

    def allocation(self, limit: float, used_before: float) -> float:
        """The limit, with what was left of the last period, as far as the policy carries that over."""
        if not self.row.carryover_enabled or self.first is None:
            return limit
        return limit + min(max(0.0, limit - used_before), limit * self.row.carryover_factor / 100)


def slurm_policies(work: Work, choice: Choice) -> Iterator[Policy]:
    """SLURM policies, by id, each with the resources that its actions reach.

    All that have fired or have reason to, and those that may have set flags, whatever their state is by now. Those that
    cannot be measured are left as they are.
    """
    watched = {row.id: _watched(work, row) for row in _rows(work, choice) if _is_measurable(work, row)}
    if watched:
        _measure(work, watched)
    for found in watched.values():
        reached = _reached(found)
        actions = SLURM_USAGE.actions(work.schema, found.row.actions)
        triggered = any(reached.get(action) for action in actions)
        if triggered or found.row.has_fired or not ON_SLURM.isdisjoint(actions):
            facts = policy_facts(work.schema, SLURM_USAGE, found.row)
            facts["facts"] |= {"limit_type": found.row.limit_type, "grace_ratio": found.row.grace_ratio}
            limit = f"{NOTIFIED_AT} % of an allocation"
            yield Policy(kind=SLURM_USAGE, triggered=triggered, limit=limit, reached=reached, **facts)


def _rows(work: Work, choice: Choice) -> list[Any]:
    """Policies with their own terms, and the one period that the limits of their offering share, if they share one."""
    periods = (
        select(component.c.offering_id, func.min(component.c.limit_period).label("limit_period"))
        .where(component.c.billing_type == "limit")
        .group_by(component.c.offering_id)
        .having(func.count(func.distinct(component.c.limit_period)) == 1)
        .subquery("periods")
    )
    return list(
        work.connection.execute(
            select(
                *policy_columns(work.schema, SLURM_USAGE),
                policy.c.period,
                periods.c.limit_period,
                *(c for c in child.c if not c.primary_key),
                offering.c.name.label("offering"),
                customer.c.name.label("provider"),
            )
            .select_from(
                policy.join(child, child.c.offeringusagepolicy_ptr_id == policy.c.id)
                .join(offering, offering.c.id == policy.c.scope_id)
                .join(customer, customer.c.id == offering.c.customer_id)
                .outerjoin(periods, periods.c.offering_id == policy.c.scope_id)
            )
            .where(*choice.of(SLURM_USAGE))
            .order_by(policy.c.id)
        )
    )


def _is_measurable(work: Work, row: Any) -> bool:
    """What a policy without billing weights (``tres_billing_enabled`` off) measures is not known.

    One whose terms are no numbers has failed, alone: nobody else's policies and invoices wait for it.
    """
    if not row.tres_billing_enabled:
        work.outcome.warn(
            f"organization {row.provider}",
            f"SLURM policy {row.uuid.hex} of offering {row.offering} works without billing weights, "
            "which this program does not know how to measure: it is left as it is",
        )
        return False
    weights = row.tres_billing_weights or {}
    if not isinstance(weights, dict):
        weights = {"": None}
    named = {f"tres_billing_weights {name}".strip(): value for name, value in weights.items()}
    terms = {"grace_ratio": row.grace_ratio, "carryover_factor": row.carryover_factor} | named
    broken = [name for name, value in terms.items() if not _is_number(value)]
    if broken:
        work.outcome.fail(
            f"policy {row.uuid.hex} of offering {row.scope_id}",
            f"organization {row.provider}: not a number: {', '.join(broken)}; the policy is left as it is",
        )
    return not broken


def _is_number(value: Any) -> bool:
    """Whether something out of JSON can be computed with; numbers there have no end."""
    try:
        return isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return False


def _watched(work: Work, row: Any) -> Watched:
    """Periods are those of the calendar: a month, a quarter, a year, or all time."""
    last = Month.of(work.as_of, work.zone).last
    months = MONTHS.get(OF_LIMITS.get(row.limit_period, row.period))
    if months is None:
        return Watched(row, None, last)
    first = date(last.year, (last.month - 1) // months * months + 1, 1)
    return Watched(row, first, last)


def _measure(work: Work, watched: Mapping[int, Watched]) -> None:
    """Note the percentage of every live resource with an allocation whose customer a policy is about."""
    concerned = of_affected_customers(
        work.schema,
        SLURM_USAGE,
        policy.join(resource, resource.c.offering_id == policy.c.scope_id)
        .join(project, project.c.id == resource.c.project_id)
        .join(customer, customer.c.id == project.c.customer_id),
    )
    conditions = (
        policy.c.id.in_(list(watched)),
        resource.c.state.not_in((ResourceState.TERMINATING, ResourceState.TERMINATED)),
        ~customer.c.blocked,
        ~customer.c.archived,
    )
    allocated = select(policy.c.id, resource.c.id, resource.c.limits).select_from(concerned).where(*conditions)
    reported = (
        select(policy.c.id, resource.c.id, component.c.type, usage.c.billing_period, func.sum(usage.c.usage))
        .select_from(
            concerned.join(usage, usage.c.resource_id == resource.c.id).join(
                component, component.c.id == usage.c.component_id
            )
        )
        .where(*conditions, *_since(watched.values()))
        .group_by(policy.c.id, resource.c.id, component.c.type, usage.c.billing_period)
    )
    now, before = _sums(work, watched, reported)
    for policy_id, resource_id, limits in work.connection.execute(allocated):
        found, part, whole = watched[policy_id], 0.0, 0.0
        for name, limit in (limits if isinstance(limits, dict) else {}).items():
            if isinstance(limit, int | float) and not isinstance(limit, bool) and limit > 0 and _is_number(limit):
                key = policy_id, resource_id, name
                part += now[key] * found.weight(name)
                whole += found.allocation(float(limit), before[key]) * found.weight(name)
        if whole > 0:
            found.percent[resource_id] = part / whole * 100


def _since(watched: Iterable[Watched]) -> list[ColumnElement[bool]]:
    """Usage that no policy looks at need not be read."""
    periods = [found.before for found in watched]
    firsts = [before[0] for before in periods if before is not None]
    return [usage.c.billing_period >= min(firsts)] if len(firsts) == len(periods) else []


def _sums(
    work: Work, watched: Mapping[int, Watched], reported: Select[Any]
) -> tuple[dict[tuple[int, int, str], float], dict[tuple[int, int, str], float]]:
    """Usage by policy, resource and component: that of the policy's period, and that of the one before it."""
    now: dict[tuple[int, int, str], float] = defaultdict(float)
    before: dict[tuple[int, int, str], float] = defaultdict(float)
    for policy_id, resource_id, kind, day, used in work.connection.execute(reported):
        found, key = watched[policy_id], (policy_id, resource_id, kind)
        if (found.first is None or found.first <= day) and day <= found.last:
            now[key] += float(used)
        elif found.before is not None and found.before[0] <= day <= found.before[1]:
            before[key] += float(used)
    return now, before


def _reached(watched: Watched) -> dict[Action, tuple[int, ...]]:
    """By action the resources that are at its threshold or above."""
    thresholds = {
        Action.SLURM_PAUSE: (1 + watched.row.grace_ratio) * 100,
        Action.SLURM_DOWNSCALE: DOWNSCALED_AT,
        Action.NOTIFY_OWNERS: NOTIFIED_AT,
        Action.NOTIFY_EXTERNAL: NOTIFIED_AT,
    }
    return {
        action: tuple(id for id, percent in sorted(watched.percent.items()) if round(percent, 6) >= round(threshold, 6))
        for action, threshold in thresholds.items()
    }
