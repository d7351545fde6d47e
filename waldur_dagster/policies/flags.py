"""Actions that set a flag on resources, and clear it when the policy is released."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Integer, and_, any_, exists, literal, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.policies.classes import CUSTOMER_COST, PROJECT_COST, Action, Policy, PolicyClass, has_action
from waldur_dagster.policies.events import log_policy_events
from waldur_dagster.schema import marketplace, structure
from waldur_dagster.work import Work

resource, offering, project = marketplace.resource, marketplace.offering, structure.project

# The provider of the offering lets Waldur manage the accounts of a project's members: JSON true, nothing else.
_own_offering = offering.alias("own_offering")
_MANAGES_MEMBERS = exists().where(
    _own_offering.c.id == resource.c.offering_id,
    _own_offering.c.secret_options.op("->", return_type=JSONB())("service_provider_can_create_offering_user")
    == literal_column("'true'::jsonb"),
)


@dataclass(frozen=True)
class Flag:
    """A column of resources; ``concerns`` says which resources it can be set on."""

    column: str
    word: str
    concerns: ColumnElement[bool]


ALIVE = resource.c.state != ResourceState.TERMINATED
STAYING = resource.c.state.not_in((ResourceState.TERMINATING, ResourceState.TERMINATED))

FLAGS = {
    Action.DOWNSCALE: Flag("downscaled", "downscaling", STAYING),
    Action.PAUSE: Flag("paused", "pausing", ALIVE),
    Action.RESTRICT: Flag("restrict_member_access", "restriction of members", and_(ALIVE, _MANAGES_MEMBERS)),
}


def resources_of(policies: Sequence[Policy]) -> ColumnElement[bool]:
    """Whether a resource is in the project of one of the policies, or in any project of its customer."""

    def scopes(kind: PolicyClass) -> ColumnElement[list[int]]:
        return literal([policy.scope_id for policy in policies if policy.kind is kind], ARRAY(Integer))

    of_customers = select(project.c.id).where(project.c.customer_id == any_(scopes(CUSTOMER_COST)))
    return or_(resource.c.project_id == any_(scopes(PROJECT_COST)), resource.c.project_id.in_(of_customers))


def raise_flag(work: Work, policy: Policy, action: Action) -> None:
    """Set the flag on the policy's resources; the event names them all, also those that have it already."""
    flag = FLAGS[action]
    concerned = and_(resources_of([policy]), flag.concerns)
    names = work.connection.execute(
        select(resource.c.name, offering.c.name)
        .join(offering, offering.c.id == resource.c.offering_id)
        .where(concerned)
        .order_by(resource.c.id)
    )
    listed = ", ".join(f"{name} ({offering_name})" for name, offering_name in names)
    work.execute(update(resource).values({flag.column: True}).where(concerned, ~resource.c[flag.column]))
    log_policy_events(
        work, policy, [(action, f"A policy has fired: {flag.word} is requested. Resources: {listed}", {})]
    )


def lower_flags(work: Work, released: Sequence[Policy]) -> None:
    """Clear the flags of policies that were released, except where another policy that has fired wants them."""
    for action, flag in FLAGS.items():
        policies = [policy for policy in released if action in policy.actions]
        if policies:
            work.execute(
                update(resource)
                .values({flag.column: False})
                .where(resources_of(policies), flag.concerns, resource.c[flag.column], ~_wanted(action))
            )


def _wanted(action: Action) -> ColumnElement[bool]:
    """Whether a fired policy of the resource's project, or of the project's customer, has the action."""

    def fired(kind: PolicyClass) -> ColumnElement[bool]:
        return and_(kind.table.c.has_fired, has_action(kind.table, frozenset({action})))

    of_project, of_customer = PROJECT_COST.table, CUSTOMER_COST.table
    own = exists().where(of_project.c.scope_id == resource.c.project_id, fired(PROJECT_COST))
    customers = exists().where(
        project.c.id == resource.c.project_id, of_customer.c.scope_id == project.c.customer_id, fired(CUSTOMER_COST)
    )
    return or_(own, customers)
