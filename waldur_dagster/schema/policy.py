"""Policies on cost and usage."""

from sqlalchemy import Boolean, Column, DateTime, Integer, String, Table, Uuid

from waldur_dagster.schema.base import metadata

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
)
