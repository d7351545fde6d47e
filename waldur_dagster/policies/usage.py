"""Policies on usage: how much of an offering's components the customers of some groups use."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on

from waldur_dagster.policies.classes import OFFERING_USAGE, Choice, Policy, in_period
from waldur_dagster.policies.costs import in_groups
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.schema import policy as tables
from waldur_dagster.work import Work


def usage_changes(work: Work, choice: Choice) -> Iterator[Policy]:
    """Usage policies whose state is not what the usage asks for, by id.

    Any limit that is exceeded fires a policy; its mails tell of the first one.
    """
    policy, limit = OFFERING_USAGE.table, tables.offeringcomponentlimit
    usage, component = marketplace.componentusage, marketplace.offeringcomponent
    resource, project, customer = marketplace.resource, structure.project, structure.customer
    used = (
        select(limit.c.id, limit.c.policy_id, limit.c.component_id, limit.c.limit)
        .select_from(
            policy.join(limit, limit.c.policy_id == policy.c.id)
            .join(usage, usage.c.component_id == limit.c.component_id)
            .join(resource, resource.c.id == usage.c.resource_id)
            .join(project, project.c.id == resource.c.project_id)
            .join(customer, customer.c.id == project.c.customer_id)
        )
        .where(
            ~customer.c.blocked,
            ~customer.c.archived,
            in_period(policy.c.period, work.today, usage.c.billing_period.between),
            *in_groups(OFFERING_USAGE),
            *choice.of(OFFERING_USAGE),
        )
        .group_by(limit.c.id)
        .having(func.sum(usage.c.usage) > limit.c.limit)
        .cte("used")
    )
    exceeded = select(used).ext(distinct_on(used.c.policy_id)).order_by(used.c.policy_id, used.c.id).cte("exceeded")
    triggered = exceeded.c.id.is_not(None)
    found = work.connection.execute(
        select(
            *(policy.c[name] for name in ("id", "uuid", "scope_id", "actions")),
            triggered.label("triggered"),
            exceeded.c.limit,
            component.c.name.label("component"),
        )
        .select_from(
            policy.outerjoin(exceeded, exceeded.c.policy_id == policy.c.id).outerjoin(
                component, component.c.id == exceeded.c.component_id
            )
        )
        .where(triggered.is_distinct_from(policy.c.has_fired), *choice.of(OFFERING_USAGE))
        .order_by(policy.c.id)
    )
    for row in found.all():
        actions = OFFERING_USAGE.actions(row.actions)
        limit_text = f"{row.limit} ({row.component})"
        yield Policy(OFFERING_USAGE, row.id, row.uuid, row.scope_id, actions, limit_text, row.triggered)
