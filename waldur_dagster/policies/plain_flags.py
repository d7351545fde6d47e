"""Flags as older versions of Waldur set them: with one event for the policy, and none when they are cleared."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, select, update

from waldur_dagster.marketplace.fired_policies import wanted
from waldur_dagster.policies.classes import Action, Policy
from waldur_dagster.policies.events import PolicyEvent, log_policy_events
from waldur_dagster.policies.flags import FLAGS, concerns, offering, resource, resources_of
from waldur_dagster.work import Work


def raise_flag(work: Work, policy: Policy, action: Action) -> None:
    """Set the flag on the policy's resources; the event names them all, also those that have it already."""
    flag = FLAGS[action]
    concerned = and_(resources_of([policy], action), concerns(work.schema, flag))
    names = work.connection.execute(
        select(resource.c.name, offering.c.name)
        .join(offering, offering.c.id == resource.c.offering_id)
        .where(concerned)
        .order_by(resource.c.id)
    )
    listed = ", ".join(f"{name} ({offering_name})" for name, offering_name in names)
    work.execute(update(resource).values({flag.column: True}).where(concerned, ~resource.c[flag.column]))
    text = f"A policy has fired: {flag.word} is requested. Resources: {listed}"
    log_policy_events(work, policy, [PolicyEvent(action, text)])


def lower_flags(work: Work, released: Sequence[Policy]) -> None:
    """Clear the flags of policies that were released, except where another policy that has fired wants them."""
    for action, flag in FLAGS.items():
        policies = [policy for policy in released if action in policy.actions]
        if policies:
            work.execute(
                update(resource)
                .values({flag.column: False})
                .where(
                    resources_of(policies, action),
                    concerns(work.schema, flag),
                    resource.c[flag.column],
                    ~wanted(work.schema, action),
                )
            )
