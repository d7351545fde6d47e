"""Which rules of policies hold on a site (spec newer_billing 0)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, false, func, or_, select

from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.platform.organization_groups import groups_of_customers
from waldur_dagster.policies.classes import SLURM_USAGE, PolicyClass
from waldur_dagster.schema import policy, structure

customer = structure.customer


def watches_credit(schema: SiteSchema) -> bool:
    """Cost policies wait for the credit to run low, and flags are set and told resource by resource.

    Only the first leaves a sign in the schema, whose age is the nearest to that of the others.
    """
    return schema.has_column(policy.projectestimatedcostpolicy.c.use_credit)


def has_slurm_usage(schema: SiteSchema) -> bool:
    """Whether there are SLURM policies, with all that they are evaluated by."""
    child = policy.slurmperiodicusagepolicy
    return schema.has(child.name) and not schema.missing(child)


def has_notes(schema: SiteSchema, kind: PolicyClass) -> bool:
    """Whether a class's flags are set resource by resource, with a note; SLURM policies could not take them back else.

    There are sites with SLURM policies on which no other policy does so.
    """
    return kind is SLURM_USAGE or watches_credit(schema)


def is_child(schema: SiteSchema) -> ColumnElement[bool]:
    """Whether a row of the usage policies is that of a SLURM policy, which is evaluated as such and as nothing else."""
    child, parent = policy.slurmperiodicusagepolicy, policy.offeringusagepolicy
    if not schema.has(child.name):
        return false()
    return select(child.c.offeringusagepolicy_ptr_id).where(child.c.offeringusagepolicy_ptr_id == parent.c.id).exists()


def of_affected_customers(schema: SiteSchema, kind: PolicyClass, found: FromClause) -> FromClause:
    """Of policies joined with customers those pairs in which the policy is about the customer.

    A policy on an offering is about all customers, or about those in its groups; other classes have no such condition.
    """
    if kind.groups is None:
        return found
    group, own = kind.groups.c.organizationgroup_id, kind.groups.c[f"{kind.table.name.removeprefix('policy_')}_id"]
    chosen = select(own.label("policy_id"), func.array_agg(group).label("groups")).group_by(own).subquery("chosen")
    belongs = groups_of_customers(schema)
    everybody: Any = schema.own(kind.table, "apply_to_all", false())
    affected = or_(everybody, chosen.c.groups.op("&&", is_comparison=True)(belongs.c.groups))
    return found.outerjoin(chosen, chosen.c.policy_id == kind.table.c.id).join(
        belongs, and_(belongs.c.customer_id == customer.c.id, affected)
    )
