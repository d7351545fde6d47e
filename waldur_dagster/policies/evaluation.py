"""The shared step "evaluate the policies of these scopes": policies fire and are released (spec quotas, check-polices).

It looks at all policies of a class with one query and changes nothing as long as no policy's state changes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Integer, Select, any_, false, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from waldur_dagster.marketplace.fired_policies import has_customer_usage
from waldur_dagster.platform.expressions import given_ids
from waldur_dagster.platform.isolation import isolated
from waldur_dagster.policies import attributed_flags, plain_flags
from waldur_dagster.policies.actions import ACTIONS
from waldur_dagster.policies.classes import (
    CUSTOMER_COST,
    OFFERING_COST,
    OFFERING_USAGE,
    PROJECT_COST,
    SLURM_USAGE,
    Action,
    Choice,
    Policy,
)
from waldur_dagster.policies.costs import cost_policies
from waldur_dagster.policies.flags import FLAGS, resources_of
from waldur_dagster.policies.rules import has_notes, has_slurm_usage, watches_credit
from waldur_dagster.policies.slurm import slurm_policies
from waldur_dagster.policies.usage import customer_usage_policies, offering_usage_policies
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.users.system_robot import act_as_robot
from waldur_dagster.work import Work

NOBODY = select(literal(0)).where(false())


@dataclass(frozen=True)
class Affected:
    """Whose policies may change state: SELECTs of one column, ids.

    ``projects``, ``customers`` and ``offerings`` got invoice items; ``metered_offerings`` got usage.
    """

    projects: Select[Any] = NOBODY
    customers: Select[Any] = NOBODY
    offerings: Select[Any] = NOBODY
    metered_offerings: Select[Any] = NOBODY


def affected_by_resources(ids: Collection[int], metered: Collection[int] = ()) -> Affected:
    """Those that look at the costs of these resources, and at the usage of ``metered`` ones."""
    resource, project = marketplace.resource, structure.project
    chosen = resource.c.id.in_(given_ids(ids))
    return Affected(
        projects=select(resource.c.project_id).where(chosen),
        customers=select(project.c.customer_id)
        .join_from(resource, project, project.c.id == resource.c.project_id)
        .where(chosen),
        offerings=select(resource.c.offering_id).where(chosen),
        metered_offerings=select(resource.c.offering_id).where(resource.c.id.in_(given_ids(metered))),
    )


def check_policies(work: Work) -> None:
    """Fire the policies whose limit is exceeded, release the others, and do their actions."""
    evaluate_policies(work)


def evaluate_policies(work: Work, affected: Affected | None = None) -> None:
    """Evaluate policies as of the run's day: all of them, or those of the scopes that were ``affected`` by a change.

    A policy fires with all its immediate actions or, when one of them fails, not at all: it is reported and the next
    evaluation tries again. A policy of which another run has changed the state meanwhile is left alone.

    Up to 2024 a change of costs or usage makes Waldur handle only policies that have an immediate action, and leaves
    ``fired_datetime`` as it is when it releases one; so does this when ``affected`` is given. Newer versions make no
    such difference, and set the flags of policies that have fired before on what has come since.
    """
    newer = watches_credit(work.schema)
    if newer:
        act_as_robot(work)
    found = list(_found(work, affected))
    fallen = [policy for policy in found if policy.has_fired and not policy.triggered]
    released = _turn(work, fallen, fired=False, stamped=newer or affected is None)
    triggered = [policy for policy in found if policy.triggered and not policy.has_fired]
    _turn(work, [policy for policy in triggered if not policy.actions], fired=True)
    for policy in triggered:
        if policy.actions:
            with isolated(work, str(policy)):
                _fire(work, policy)
    # At the end, when it is known which policies still want the flags.
    if affected:
        found += _neighbours(work, found, released)
    _go_on(work, found, released)


def _go_on(work: Work, found: list[Policy], released: list[Policy]) -> None:
    """Bring the flags to what the policies want now, in statements that do not grow with the policies."""
    noted, lowered = ([p for p in policies if has_notes(work.schema, p.kind)] for policies in (found, released))
    staying = [policy for policy in noted if policy.triggered]
    plain_flags.lower_flags(work, [policy for policy in released if not has_notes(work.schema, policy.kind)])
    for action in FLAGS:
        ongoing = [policy for policy in noted if policy.goes_on and action in policy.actions]
        attributed_flags.raise_flags(work, ongoing, action)
    attributed_flags.lower_flags(work, lowered, staying)
    attributed_flags.recover(work, [policy for policy in noted if policy.kind is SLURM_USAGE], staying)


def _neighbours(work: Work, found: list[Policy], released: list[Policy]) -> list[Policy]:
    """Further SLURM policies on resources of those that were released: they may want the same flags."""
    flagging = [policy for policy in released if {Action.DOWNSCALE, Action.PAUSE} & set(policy.actions)]
    if not flagging or not has_slurm_usage(work.schema):
        return []
    offerings = select(marketplace.resource.c.offering_id).where(resources_of(flagging, Action.PAUSE))
    known = {policy.id for policy in found if policy.kind is SLURM_USAGE}
    near = slurm_policies(work, Choice(work.schema, offerings, only_immediate=False))
    return [policy for policy in near if policy.id not in known]


def _found(work: Work, affected: Affected | None) -> Iterator[Policy]:
    """The policies that have fired or have reason to, class by class; a class that the site does not have has none.

    Those whose state stays what it is are among them only as far as there may be something to do for them.
    """
    of = affected or Affected()

    def choice(scopes: Select[Any]) -> Choice:
        return Choice(work.schema, scopes if affected else None, only_immediate=not watches_credit(work.schema))

    for kind, scopes in ((PROJECT_COST, of.projects), (CUSTOMER_COST, of.customers), (OFFERING_COST, of.offerings)):
        if work.schema.has(kind.table.name):
            yield from cost_policies(work, kind, choice(scopes))
    if work.schema.has(OFFERING_USAGE.table.name):
        yield from offering_usage_policies(work, choice(of.metered_offerings))
    if has_customer_usage(work.schema):
        yield from customer_usage_policies(work, choice(_customers_of(of.metered_offerings)))
    if has_slurm_usage(work.schema):
        yield from slurm_policies(work, choice(of.metered_offerings))


def _customers_of(offerings: Select[Any]) -> Select[Any]:
    """Those who have resources of the offerings."""
    resource, project = marketplace.resource, structure.project
    return (
        select(project.c.customer_id)
        .join(resource, resource.c.project_id == project.c.id)
        .where(resource.c.offering_id.in_(offerings))
    )


def _fire(work: Work, policy: Policy) -> None:
    if _turn(work, [policy], fired=True):
        for action in policy.actions:
            ACTIONS[action](work, policy)


def _turn(work: Work, policies: list[Policy], *, fired: bool, stamped: bool = True) -> list[Policy]:
    """Make policies fired, or released ones. Returns those whose state it was this run that has changed."""
    turned: list[Policy] = []
    for kind, group in groupby(policies, key=lambda policy: policy.kind):
        by_id, table = {policy.id: policy for policy in group}, kind.table
        values: dict[str, Any] = {"has_fired": fired} | ({"fired_datetime": work.as_of} if stamped else {})
        if not watches_credit(work.schema):
            values["modified"] = work.as_of
        changed = work.execute(
            update(table)
            .values(**values)
            .where(table.c.id == any_(literal(list(by_id), ARRAY(Integer))), table.c.has_fired != fired)
            .returning(table.c.id)
        )
        turned += [by_id[id] for id in sorted(changed.scalars())]
    work.outcome.figures["policies fired" if fired else "policies released"] += len(turned)
    return turned
