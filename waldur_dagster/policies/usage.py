"""Policies on usage: how much of some components customers have used."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from sqlalchemy import CTE, ColumnElement, FromClause, Select, Table, func, or_, select, true
from sqlalchemy.dialects.postgresql import distinct_on

from waldur_dagster.platform.month import Month
from waldur_dagster.policies.classes import CUSTOMER_USAGE, OFFERING_USAGE, Choice, Policy, PolicyClass, in_period
from waldur_dagster.policies.costs import may_go_on, policy_columns, policy_facts
from waldur_dagster.policies.rules import is_child, of_affected_customers, watches_credit
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.schema import policy as tables
from waldur_dagster.work import Work

usage, component = marketplace.componentusage, marketplace.offeringcomponent
resource, project, customer = marketplace.resource, structure.project, structure.customer


def offering_usage_policies(work: Work, choice: Choice) -> Iterator[Policy]:
    """Policies on what an offering's customers have used, of those that have to change, by id."""
    policy, limit = OFFERING_USAGE.table, tables.offeringcomponentlimit
    used = _used(policy.join(limit, limit.c.policy_id == policy.c.id), limit)
    exceeded = (
        select(limit.c.id, limit.c.policy_id, limit.c.component_id, limit.c.limit)
        .select_from(of_affected_customers(work.schema, OFFERING_USAGE, used))
        .where(
            _counted_limits(work),
            _counted_resources(work),
            ~customer.c.blocked,
            ~customer.c.archived,
            _in_months(work, policy.c.period),
            *choice.of(OFFERING_USAGE),
        )
        .group_by(limit.c.id)
        .having(func.sum(usage.c.usage) > limit.c.limit)
        .cte("used")
    )
    return _policies(work, OFFERING_USAGE, exceeded, [~is_child(work.schema), *choice.of(OFFERING_USAGE)])


def customer_usage_policies(work: Work, choice: Choice) -> Iterator[Policy]:
    """Policies on what a customer has used; each limit has a period of its own, and any of them fires the policy."""
    policy, limit = CUSTOMER_USAGE.table, tables.customerusagepolicycomponent
    exceeded = (
        select(limit.c.id, limit.c.policy_id, limit.c.component_id, limit.c.limit)
        .select_from(_used(policy.join(limit, limit.c.policy_id == policy.c.id), limit))
        .where(
            project.c.customer_id == policy.c.scope_id,
            _in_months(work, limit.c.period),
            *choice.of(CUSTOMER_USAGE),
        )
        .group_by(limit.c.id)
        .having(func.sum(usage.c.usage) > limit.c.limit)
        .cte("used")
    )
    return _policies(work, CUSTOMER_USAGE, exceeded, choice.of(CUSTOMER_USAGE))


def _used(limits: FromClause, limit: Table) -> FromClause:
    """Limits with the usage of their components, and whose it is."""
    return (
        limits.join(usage, usage.c.component_id == limit.c.component_id)
        .join(resource, resource.c.id == usage.c.resource_id)
        .join(project, project.c.id == resource.c.project_id)
        .join(customer, customer.c.id == project.c.customer_id)
    )


def _counted_limits(work: Work) -> ColumnElement[bool]:
    """Any limit of a policy counts; in newer versions its first one alone (spec newer_billing 3.2)."""
    limit = tables.offeringcomponentlimit
    if not watches_credit(work.schema):
        return true()
    of_policy = limit.alias("of_policy")
    first = select(func.min(of_policy.c.id)).where(of_policy.c.policy_id == limit.c.policy_id)
    return limit.c.id == first.scalar_subquery()


def _counted_resources(work: Work) -> ColumnElement[bool]:
    """Any resource's usage of a component counts; in newer versions that of the policy's own offering alone."""
    return resource.c.offering_id == OFFERING_USAGE.table.c.scope_id if watches_credit(work.schema) else true()


def _in_months(work: Work, period: ColumnElement[int]) -> ColumnElement[bool]:
    """Newer versions count nothing of the months to come, not even in policies that look at all time."""
    month = Month.of(work.as_of, work.zone)
    past = usage.c.billing_period <= month.last if watches_credit(work.schema) else None
    return in_period(period, work.today, _reported_within, past)


def _reported_within(first: date, last: date) -> ColumnElement[bool]:
    return usage.c.billing_period.between(first, last)


def _policies(work: Work, kind: PolicyClass, used: CTE, chosen: list[ColumnElement[bool]]) -> Iterator[Policy]:
    """Policies of a class with the first of their limits that is in ``used``: the one that mails tell of."""
    policy = kind.table
    exceeded = select(used).ext(distinct_on(used.c.policy_id)).order_by(used.c.policy_id, used.c.id).cte("exceeded")
    triggered = exceeded.c.id.is_not(None)
    found: Select[Any] = (
        select(
            *policy_columns(work.schema, kind),
            triggered.label("triggered"),
            exceeded.c.limit,
            component.c.name.label("component"),
        )
        .select_from(
            policy.outerjoin(exceeded, exceeded.c.policy_id == policy.c.id).outerjoin(
                component, component.c.id == exceeded.c.component_id
            )
        )
        .where(or_(triggered.is_distinct_from(policy.c.has_fired), may_go_on(work.schema, kind)), *chosen)
        .order_by(policy.c.id)
    )
    for row in work.connection.execute(found).all():
        limit = f"{row.limit} ({row.component})"
        yield Policy(kind=kind, triggered=row.triggered, limit=limit, **policy_facts(work.schema, kind, row))
