"""Actions that set a flag on resources, and clear it when the policy is released.

Up to 2024 a flag is just set, with one event for the whole policy. Newer versions ask the offering whether it supports
the flag, note on each resource which policy has set it, and tell it resource by resource (spec newer_billing 3.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Integer, and_, exists, literal_column, or_, select, union_all
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.policies.classes import CUSTOMER_COST, CUSTOMER_USAGE, PROJECT_COST, Action, Policy
from waldur_dagster.policies.rules import watches_credit
from waldur_dagster.schema import marketplace, structure

resource, offering, project = marketplace.resource, marketplace.offering, structure.project
ALIVE = resource.c.state != ResourceState.TERMINATED
STAYING = resource.c.state.not_in((ResourceState.TERMINATING, ResourceState.TERMINATED))


@dataclass(frozen=True, eq=False)
class Flag:
    """A column of resources, the states in which it is set, and the option of an offering that supports it."""

    column: str
    word: str
    states: ColumnElement[bool]
    option: str
    reset: str


DOWNSCALED = Flag("downscaled", "downscaling", STAYING, "supports_downscaling", "reset_downscaling")
PAUSED = Flag("paused", "pausing", ALIVE, "supports_pausing", "reset_pausing")
RESTRICTED = Flag(
    "restrict_member_access",
    "restriction of members",
    ALIVE,
    "service_provider_can_create_offering_user",
    "reset_member_restriction",
)
FLAGS = {
    Action.DOWNSCALE: DOWNSCALED,
    Action.PAUSE: PAUSED,
    Action.RESTRICT: RESTRICTED,
    Action.SLURM_DOWNSCALE: DOWNSCALED,
    Action.SLURM_PAUSE: PAUSED,
}


def concerns(schema: SiteSchema, flag: Flag) -> ColumnElement[bool]:
    """Whether a flag can be set on a resource: JSON true in the right options of its offering, nothing else.

    Older versions ask only for the restriction of members, and keep that among the offering's secrets.
    """
    of_offering = offering.alias("own_offering")
    if watches_credit(schema):
        options = of_offering.c.plugin_options
    elif flag is RESTRICTED:
        options = of_offering.c.secret_options
    else:
        return flag.states
    allows = options.op("->", return_type=JSONB())(flag.option) == literal_column("'true'::jsonb")
    return and_(flag.states, exists().where(of_offering.c.id == resource.c.offering_id, allows))


def covered(policies: Sequence[Policy], action: Action) -> CompoundSelect[Any]:
    """(position, resource_id): the resources of each policy, by the policy's place in ``policies``.

    Those of its project (or the one it is about), of all projects of its customer, or those that it reaches itself.
    """
    rows = [
        {
            "position": position,
            "project_id": policy.scope_id if policy.kind is PROJECT_COST else None,
            "customer_id": policy.scope_id if policy.kind in (CUSTOMER_COST, CUSTOMER_USAGE) else None,
            "only": policy.resource_id,
        }
        for position, policy in enumerate(policies)
    ]
    reached = [
        {"position": position, "resource_id": id}
        for position, policy in enumerate(policies)
        for id in policy.reached.get(action, ())
    ]
    given = given_rows(rows, position=Integer, project_id=Integer, customer_id=Integer, only=Integer)
    single = given_rows(reached, position=Integer, resource_id=Integer).alias("single")
    return union_all(
        select(given.c.position, resource.c.id.label("resource_id"))
        .join(resource, resource.c.project_id == given.c.project_id)
        .where(or_(given.c.only.is_(None), resource.c.id == given.c.only)),
        select(given.c.position, resource.c.id)
        .join(project, project.c.customer_id == given.c.customer_id)
        .join(resource, resource.c.project_id == project.c.id),
        select(single.c.position, single.c.resource_id),
    )


def resources_of(policies: Sequence[Policy], action: Action) -> ColumnElement[bool]:
    """Whether a resource is one of those of the policies."""
    of_policies = covered(policies, action).subquery("covered")
    return resource.c.id.in_(select(of_policies.c.resource_id))
