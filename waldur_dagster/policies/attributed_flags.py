"""Flags as newer versions set them: resource by resource, with a note of the policy (spec newer_billing 3.5).

The note stands in ``attributes._policy_attribution`` of the resource, under the flag's name; whoever clears the flag
takes it out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Table,
    Text,
    Update,
    all_,
    and_,
    any_,
    case,
    exists,
    false,
    func,
    literal,
    not_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, distinct_on

from waldur_dagster.marketplace.events import log_resource_events
from waldur_dagster.marketplace.fired_policies import wanted
from waldur_dagster.platform.contexts import NOTHING
from waldur_dagster.platform.event_names import RESOURCE_CHANGED
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import (
    given_rows,
    hex_of,
    json_list,
    json_object,
    merged,
    text_from,
    whole_part,
)
from waldur_dagster.policies.classes import ON_SLURM, SLURM_USAGE, Action, Policy
from waldur_dagster.policies.flags import (
    DOWNSCALED,
    FLAGS,
    PAUSED,
    RESTRICTED,
    Flag,
    concerns,
    covered,
    offering,
    project,
    resource,
)
from waldur_dagster.schema import invoices
from waldur_dagster.structure.project_ends import has_grace, is_in_grace
from waldur_dagster.temporary import temporary_returned
from waldur_dagster.work import Work

ATTRIBUTION = "_policy_attribution"
# The action with which other policies than those on SLURM want a flag.
OF_COSTS = {DOWNSCALED: Action.DOWNSCALE, PAUSED: Action.PAUSE, RESTRICTED: Action.RESTRICT}


def raise_flags(work: Work, policies: Sequence[Policy], action: Action) -> None:
    """Set the flag of an action on those resources of the policies that support it and do not have it yet."""
    flag = FLAGS[action]
    if policies:
        chosen = _chosen(work, policies, action, and_(concerns(work.schema, flag), not_(resource.c[flag.column])))
        changed = _noting(work, policies, action, chosen).returning(
            resource.c.id.label("resource_id"), chosen.c.position.label("policy")
        )
        _tell(work, temporary_returned(work, "flagged", changed), policies, str(action))


def lower_flags(work: Work, released: Sequence[Policy], staying: Sequence[Policy]) -> None:
    """Clear the flags of policies that were released; what a SLURM policy has set is left to ``recover``."""
    for action, flag in FLAGS.items():
        policies = [policy for policy in released if action in policy.actions and policy.kind is not SLURM_USAGE]
        if policies:
            of_slurm = func.coalesce(_noted(flag, "policy_class") == SLURM_USAGE.model, False)
            set_now = and_(concerns(work.schema, flag), resource.c[flag.column], ~of_slurm)
            chosen = partial(_chosen, work, policies, action, set_now)
            _release(work, policies, action, chosen, staying)


def recover(work: Work, measured: Sequence[Policy], staying: Sequence[Policy]) -> None:
    """Clear what SLURM policies have set on resources that are below the threshold again, whatever their own state.

    Waldur releases their rows without that (spec newer_billing 3.4).
    """
    for action in (Action.SLURM_DOWNSCALE, Action.SLURM_PAUSE):
        own = [policy for policy in measured if action in policy.actions]
        if own:
            _release(work, own, action, partial(_recovered, own, action), staying)


def _recovered(policies: Sequence[Policy], action: Action, condition: ColumnElement[bool]) -> FromClause:
    flag = FLAGS[action]
    above = [id for policy in policies for id in policy.reached.get(action, ())]
    given = given_rows(
        [{"position": at, "scope_id": p.scope_id, "uuid": p.uuid.hex} for at, p in enumerate(policies)],
        position=Integer,
        scope_id=Integer,
        uuid=Text,
    )
    return (
        select(given.c.position, resource.c.id.label("resource_id"))
        .join(resource, and_(resource.c.offering_id == given.c.scope_id, _noted(flag, "policy_uuid") == given.c.uuid))
        .where(resource.c[flag.column], not_(resource.c.id == any_(literal(above, ARRAY(Integer)))), condition)
        .subquery("chosen")
    )


def _release(
    work: Work,
    policies: Sequence[Policy],
    action: Action,
    chosen: Callable[[ColumnElement[bool]], FromClause],
    staying: Sequence[Policy],
) -> None:
    """Clear the flag of an action, except where something else wants it, which is then what the note tells.

    A policy that stays is named there; a limit on usage has no note. In a project's grace time a pause stays: if a
    policy had set it, it is the grace time's from now on. ``chosen`` are those of the policies' resources on which a
    condition holds.
    """
    flag = FLAGS[action]
    if not work.connection.scalar(select(exists().select_from(chosen(true())))):
        return
    _hand_over(work, flag, chosen, staying)
    free = ~wanted(work.schema, OF_COSTS[flag])
    if work.schema.has_column(resource.c.usage_limit_restriction):
        limited = resource.c.usage_limit_restriction == flag.column
        _leave(work, flag, chosen(and_(free, limited)))
        free = and_(free, ~limited)
    if flag is PAUSED:
        # Where a site does not tell such pauses from others, the note goes on to say who has paused.
        if work.schema.has_column(resource.c.paused_by_grace_period):
            _leave(work, flag, chosen(and_(free, _in_grace_time(work))), paused_by_grace_period=True)
        free = and_(free, ~_in_grace_time(work))
    _lower(work, policies, action, chosen(free))


def _hand_over(
    work: Work, flag: Flag, chosen: Callable[[ColumnElement[bool]], FromClause], staying: Sequence[Policy]
) -> None:
    """Where a policy that stays wants the flag too, the note names that one from now on.

    A flag without a note stays so, except for a SLURM policy: without one it could not take the flag back.
    """
    uuid = _noted(flag, "policy_uuid")
    for action, own in FLAGS.items():
        keepers = [policy for policy in staying if own is flag and action in policy.actions]
        if keepers:
            of_other = uuid != all_(literal([policy.uuid.hex for policy in keepers], ARRAY(Text)))
            left = resource.c.id.in_(select(chosen(true()).c.resource_id))
            kept = _chosen(work, keepers, action, left, func.coalesce(of_other, action in ON_SLURM))
            work.execute(_noting(work, keepers, action, kept))


def _noting(work: Work, policies: Sequence[Policy], action: Action, chosen: FromClause) -> Update:
    """Set the flag of an action, with a note of the policy."""
    flag = FLAGS[action]
    notes = given_rows(
        [{"at": at, "note": _note(work, policy, action)} for at, policy in enumerate(policies)], at=Integer, note=JSONB
    ).alias("notes")
    noted = merged(
        func.coalesce(resource.c.attributes.op("->", return_type=JSONB())(ATTRIBUTION), NOTHING),
        json_object(**{flag.column: notes.c.note}),
    )
    return (
        update(resource)
        .values(
            {
                flag.column: True,
                "attributes": merged(resource.c.attributes, json_object(**{ATTRIBUTION: noted})),
                "modified": work.as_of,
            }
        )
        .where(resource.c.id == chosen.c.resource_id, notes.c.at == chosen.c.position)
    )


def _lower(work: Work, policies: Sequence[Policy], action: Action, chosen: FromClause) -> None:
    flag = FLAGS[action]
    values: dict[str, Any] = {flag.column: False, "attributes": _without_note(flag), "modified": work.as_of}
    if flag is PAUSED:
        values["paused_by_grace_period"] = False
    changed = (
        update(resource)
        .values(work.schema.fitting(resource, values))
        .where(resource.c.id == chosen.c.resource_id)
        .returning(resource.c.id.label("resource_id"), chosen.c.position.label("policy"))
    )
    _tell(work, temporary_returned(work, "flagged", changed), policies, flag.reset)


def _leave(work: Work, flag: Flag, chosen: FromClause, **values: Any) -> None:
    """Take out the note of a flag that stays, if a policy has set it."""
    work.execute(
        update(resource)
        .values(attributes=_without_note(flag), modified=work.as_of, **values)
        .where(resource.c.id == chosen.c.resource_id, _noted(flag, "policy_uuid").is_not(None))
    )


def _chosen(work: Work, policies: Sequence[Policy], action: Action, *conditions: ColumnElement[bool]) -> FromClause:
    """(position, resource_id): each resource of the policies once, with the first of them."""
    of_policies = covered(policies, action).subquery("covered")
    return (
        select(of_policies.c.position, resource.c.id.label("resource_id"))
        .ext(distinct_on(resource.c.id))
        .join(resource, resource.c.id == of_policies.c.resource_id)
        .where(*conditions)
        .order_by(resource.c.id, of_policies.c.position)
        .subquery("chosen")
    )


def _note(work: Work, policy: Policy, action: Action) -> dict[str, Any]:
    return {
        "policy_class": policy.kind.model,
        "policy_uuid": policy.uuid.hex,
        "action": str(action),
        "scope_name": policy.scope_name,
        "timestamp": work.as_of.isoformat(),
        "limit_cost": policy.limit_cost,
        "limit_type": None,
        "grace_ratio": None,
    } | policy.facts


def _noted(flag: Flag, key: str) -> ColumnElement[str]:
    path = literal([ATTRIBUTION, flag.column, key], ARRAY(Text))
    return resource.c.attributes.op("#>>", return_type=Text())(path)


def _without_note(flag: Flag) -> ColumnElement[Any]:
    """Attributes without the flag's note; without the object of notes too, when it was the last one."""
    left = resource.c.attributes.op("#-", return_type=JSONB())(literal([ATTRIBUTION, flag.column], ARRAY(Text)))
    empty = left.op("->", return_type=JSONB())(ATTRIBUTION) == NOTHING
    return case((empty, left.op("-", return_type=JSONB())(literal(ATTRIBUTION, Text))), else_=left)


def _in_grace_time(work: Work) -> ColumnElement[bool]:
    return exists().where(project.c.id == resource.c.project_id, is_in_grace(work)) if has_grace(work) else false()


def _tell(work: Work, flagged: Table, policies: Sequence[Policy], event_type: str) -> None:
    """Two events for each resource: that it was updated, and what a policy has done, of which hooks are not told."""
    log_resource_events(
        work,
        flagged,
        event_type=RESOURCE_CHANGED,
        message=text_from("Resource {name} has been updated.", name=resource.c.name),
    )
    of_policies = given_rows(
        [
            {"at": at, "uuid": p.uuid.hex, "scope": p.kind.scope, "limit_cost": p.limit_cost}
            for at, p in enumerate(policies)
        ],
        at=Integer,
        uuid=Text,
        scope=Text,
        limit_cost=BigInteger,
    ).alias("of_policies")
    org_credit, own_credit = invoices.customercredit, invoices.projectcredit

    def feed(app_label: str, model: str, scope: ColumnElement[Any]) -> ColumnElement[Any]:
        return json_list(json_list(work.content_types(app_label, model), scope))

    text = f"Cost policy has triggered {event_type} on resource {{name}}."
    source = (
        select(
            literal(event_type).label("event_type"),
            text_from(text, name=resource.c.name).label("message"),
            func.jsonb_strip_nulls(
                json_object(
                    policy_uuid=of_policies.c.uuid,
                    resource_name=resource.c.name,
                    resource_uuid=hex_of(resource.c.uuid),
                    limit_cost=of_policies.c.limit_cost,
                    project_credit_balance=whole_part(own_credit.c.value),
                    credit_balance=whole_part(org_credit.c.value),
                )
            ).label("context"),
            merged(
                feed("marketplace", "resource", resource.c.id),
                case(
                    (
                        of_policies.c.scope == "Offering",
                        merged(
                            feed("marketplace", "offering", offering.c.id),
                            feed("structure", "customer", offering.c.customer_id),
                        ),
                    ),
                    (of_policies.c.scope == "Customer", feed("structure", "customer", project.c.customer_id)),
                    else_=merged(
                        feed("structure", "project", project.c.id), feed("structure", "customer", project.c.customer_id)
                    ),
                ),
            ).label("feeds"),
        )
        .select_from(
            flagged.join(resource, resource.c.id == flagged.c.resource_id)
            .join(of_policies, of_policies.c.at == flagged.c.policy)
            .join(project, project.c.id == resource.c.project_id)
            .join(offering, offering.c.id == resource.c.offering_id)
            .outerjoin(own_credit, own_credit.c.project_id == project.c.id)
            .outerjoin(org_credit, org_credit.c.customer_id == project.c.customer_id)
        )
        .order_by(flagged.c.policy, resource.c.id)
    )
    log_events(work, source, hooked=False)
