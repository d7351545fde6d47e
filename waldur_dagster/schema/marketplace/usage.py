"""What was used, and the sums by category."""

from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Integer, Numeric, String, Table, Uuid

from waldur_dagster.schema.base import NEWER, OLDER, metadata

categorycomponentusage = Table(
    "marketplace_categorycomponentusage",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("object_id", Integer),
    Column("date", Date),
    Column("reported_usage", BigInteger),
    Column("fixed_usage", BigInteger),
    Column("component_id", Integer),
    Column("content_type_id", Integer),
)

componentquota = Table(
    "marketplace_componentquota",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("limit", Numeric(20, 2)),
    Column("usage", Numeric(20, 2)),
    Column("component_id", Integer),
    Column("resource_id", Integer),
    Column("created", DateTime(timezone=True)),
    Column("modified", DateTime(timezone=True)),
)

componentusage = Table(
    "marketplace_componentusage",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("modified", DateTime(timezone=True)),
    Column("description", String),
    Column("uuid", Uuid),
    Column("usage", Numeric(20, 2)),
    Column("date", DateTime(timezone=True)),
    Column("billing_period", Date),
    Column("component_id", Integer),
    Column("plan_period_id", Integer),
    Column("resource_id", Integer),
    Column("recurring", Boolean, info=OLDER),
    Column("missing_usage_policy", String, info=NEWER),
    Column("backend_id", String),
    Column("modified_by_id", Integer),
)

componentuserusage = Table(
    "marketplace_componentuserusage",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("modified", DateTime(timezone=True)),
    Column("uuid", Uuid),
    Column("description", String),
    Column("backend_id", String),
    Column("username", String),
    Column("usage", Numeric(20, 2)),
    Column("component_usage_id", Integer),
    Column("user_id", Integer),
)
