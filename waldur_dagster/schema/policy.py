"""Policies on cost and usage."""

from sqlalchemy import Boolean, Column, DateTime, Double, Integer, String, Table, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.schema.base import NEWER, metadata

customerestimatedcostpolicy = Table(
    "policy_customerestimatedcostpolicy",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("uuid", Uuid),
    Column("has_fired", Boolean),
    Column("fired_datetime", DateTime(timezone=True)),
    Column("actions", String),
    Column("limit_cost", Integer),
    Column("scope_id", Integer),
    Column("period", Integer),
    Column("options", JSONB, info=NEWER),
)

offeringcomponentlimit = Table(
    "policy_offeringcomponentlimit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("limit", Integer),
    Column("component_id", Integer),
    Column("policy_id", Integer),
)

offeringestimatedcostpolicy = Table(
    "policy_offeringestimatedcostpolicy",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("uuid", Uuid),
    Column("has_fired", Boolean),
    Column("fired_datetime", DateTime(timezone=True)),
    Column("limit_cost", Integer),
    Column("actions", String),
    Column("scope_id", Integer),
    Column("period", Integer),
    Column("options", JSONB, info=NEWER),
    Column("apply_to_all", Boolean, info=NEWER),
)

offeringestimatedcostpolicy_organization_groups = Table(
    "policy_offeringestimatedcostpolicy_organization_groups",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("offeringestimatedcostpolicy_id", Integer),
    Column("organizationgroup_id", Integer),
)

offeringusagepolicy = Table(
    "policy_offeringusagepolicy",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("uuid", Uuid),
    Column("has_fired", Boolean),
    Column("fired_datetime", DateTime(timezone=True)),
    Column("actions", String),
    Column("period", Integer),
    Column("scope_id", Integer),
    Column("options", JSONB, info=NEWER),
    Column("apply_to_all", Boolean, info=NEWER),
)

offeringusagepolicy_organization_groups = Table(
    "policy_offeringusagepolicy_organization_groups",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("offeringusagepolicy_id", Integer),
    Column("organizationgroup_id", Integer),
)

projectestimatedcostpolicy = Table(
    "policy_projectestimatedcostpolicy",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("uuid", Uuid),
    Column("has_fired", Boolean),
    Column("actions", String),
    Column("limit_cost", Integer),
    Column("scope_id", Integer),
    Column("fired_datetime", DateTime(timezone=True)),
    Column("period", Integer),
    Column("options", JSONB, info=NEWER),
    Column("resource_id", Integer, info=NEWER),
    Column("use_credit", Boolean, info=NEWER),
)

customercomponentusagepolicy = Table(
    "policy_customercomponentusagepolicy",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("uuid", Uuid),
    Column("has_fired", Boolean),
    Column("fired_datetime", DateTime(timezone=True)),
    Column("actions", String),
    Column("options", JSONB),
    Column("scope_id", Integer),
    info=NEWER,
)

customerusagepolicycomponent = Table(
    "policy_customerusagepolicycomponent",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("limit", Integer),
    Column("period", Integer),
    Column("component_id", Integer),
    Column("policy_id", Integer),
    info=NEWER,
)

# A child of the offering usage policy: its row there has scope, actions and state.
slurmperiodicusagepolicy = Table(
    "policy_slurmperiodicusagepolicy",
    metadata,
    Column("offeringusagepolicy_ptr_id", Integer, primary_key=True),
    Column("limit_type", String),
    Column("tres_billing_enabled", Boolean),
    Column("tres_billing_weights", JSONB),
    Column("grace_ratio", Double),
    Column("carryover_enabled", Boolean),
    Column("carryover_factor", Integer),
    Column("raw_usage_reset", Boolean),
    Column("qos_strategy", String),
    info=NEWER,
)
