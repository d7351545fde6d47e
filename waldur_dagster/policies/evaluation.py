"""The shared step "evaluate the policies of these scopes": policies fire and are released (spec quotas, check-polices).

It looks at all policies of a class with one query and changes nothing as long as no policy's state changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Integer, Select, any_, false, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from waldur_dagster.platform.isolation import isolated
from waldur_dagster.policies.actions import ACTIONS
from waldur_dagster.policies.classes import CUSTOMER_COST, OFFERING_COST, OFFERING_USAGE, PROJECT_COST, Choice, Policy
from waldur_dagster.policies.costs import cost_changes
from waldur_dagster.policies.flags import lower_flags
from waldur_dagster.policies.usage import usage_changes
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


def check_policies(work: Work) -> None:
    """Fire the policies whose limit is exceeded, release the others, and do their actions."""
    evaluate_policies(work)


def evaluate_policies(work: Work, affected: Affected | None = None) -> None:
    """Evaluate policies as of the run's day: all of them, or those of the scopes that were ``affected`` by a change.

    A policy fires with all its immediate actions or, when one of them fails, not at all: it is reported and the next
    evaluation tries again. A policy of which another run has changed the state meanwhile is left alone.

    After a change of costs or usage Waldur only handles policies that have an immediate action, and leaves
    ``fired_datetime`` as it is when it releases one; so does this when ``affected`` is given.
    """
    changes = list(_changes(work, affected))
    triggered = [policy for policy in changes if policy.triggered]
    released = _turn(work, [p for p in changes if not p.triggered], fired=False, stamped=affected is None)
    _turn(work, [policy for policy in triggered if not policy.actions], fired=True)
    for policy in triggered:
        if policy.actions:
            with isolated(work, str(policy)):
                _fire(work, policy)
    # At the end, when it is known which policies still want the flags.
    lower_flags(work, released)


def _changes(work: Work, affected: Affected | None) -> Iterator[Policy]:
    """The policies that have to change, class by class; a class that the site does not have has none."""
    of = affected or Affected()
    for kind, scopes in (
        (PROJECT_COST, of.projects),
        (CUSTOMER_COST, of.customers),
        (OFFERING_COST, of.offerings),
        (OFFERING_USAGE, of.metered_offerings),
    ):
        if work.schema.has(kind.table.name):
            choice = Choice(scopes if affected else None)
            yield from usage_changes(work, choice) if kind is OFFERING_USAGE else cost_changes(work, kind, choice)


def _fire(work: Work, policy: Policy) -> None:
    if _turn(work, [policy], fired=True):
        for action in policy.actions:
            ACTIONS[action](work, policy)


def _turn(work: Work, policies: list[Policy], *, fired: bool, stamped: bool = True) -> list[Policy]:
    """Make policies fired, or released ones. Returns those whose state it was this run that has changed."""
    turned: list[Policy] = []
    for kind, group in groupby(policies, key=lambda policy: policy.kind):
        by_id, table = {policy.id: policy for policy in group}, kind.table
        values = {"has_fired": fired, "modified": work.as_of} | ({"fired_datetime": work.as_of} if stamped else {})
        changed = work.execute(
            update(table)
            .values(**values)
            .where(table.c.id == any_(literal(list(by_id), ARRAY(Integer))), table.c.has_fired != fired)
            .returning(table.c.id)
        )
        turned += [by_id[id] for id in sorted(changed.scalars())]
    work.outcome.figures["policies fired" if fired else "policies released"] += len(turned)
    return turned
