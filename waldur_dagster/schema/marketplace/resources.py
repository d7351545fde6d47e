"""What was bought: resources, the orders that make, change and end them, and their robot accounts."""

from sqlalchemy import Boolean, Column, Date, DateTime, Integer, Numeric, SmallInteger, String, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.schema.base import NEWER, OLDER, metadata

resource = Table(
    "marketplace_resource",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("modified", DateTime(timezone=True)),
    Column("name", String),
    Column("uuid", Uuid),
    Column("object_id", Integer),
    Column("cost", Numeric(22, 10)),
    Column("limits", JSONB),
    Column("state", Integer),
    Column("attributes", JSONB),
    Column("backend_metadata", JSONB),
    Column("current_usages", JSONB),
    Column("content_type_id", Integer),
    Column("offering_id", Integer),
    Column("plan_id", Integer),
    Column("project_id", Integer),
    Column("backend_id", String),
    Column("report", JSONB),
    Column("options", JSONB),
    Column("end_date", Date),
    Column("parent_id", Integer),
    Column("end_date_requested_by_id", Integer),
    Column("downscaled", Boolean),
    Column("error_message", Text),
    Column("error_traceback", Text),
    Column("restrict_member_access", Boolean),
    Column("paused", Boolean),
    Column("effective_id", String),
    Column("slug", String),
    Column("last_sync", DateTime(timezone=True), info=NEWER),
    Column("usage_limit_restriction", String, info=NEWER),
    Column("paused_by_grace_period", Boolean, info=NEWER),
)

order = Table(
    "marketplace_order",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("modified", DateTime(timezone=True)),
    Column("uuid", Uuid),
    Column("error_message", Text),
    Column("cost", Numeric(22, 10)),
    Column("limits", JSONB),
    Column("type", SmallInteger),
    Column("attributes", JSONB),
    Column("state", Integer),
    Column("activated", DateTime(timezone=True), info=OLDER),
    Column("offering_id", Integer),
    Column("plan_id", Integer),
    Column("resource_id", Integer),
    Column("output", Text),
    Column("error_traceback", Text),
    Column("backend_id", String),
    Column("provider_reviewed_at", DateTime(timezone=True)),
    Column("provider_reviewed_by_id", Integer),
    Column("callback_url", String),
    Column("termination_comment", String),
    Column("consumer_reviewed_at", DateTime(timezone=True)),
    Column("consumer_reviewed_by_id", Integer),
    Column("created_by_id", Integer),
    Column("project_id", Integer),
    Column("completed_at", DateTime(timezone=True), info=NEWER),
    Column("slug", String, info=NEWER),
    Column("output_updated_at", DateTime(timezone=True), info=NEWER),
    Column("error_updated_at", DateTime(timezone=True), info=NEWER),
    Column("start_date", Date, info=NEWER),
    Column("placed_automatically", Boolean, info=NEWER),
)

resourceaccessendpoint = Table(
    "marketplace_resourceaccessendpoint",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("resource_id", Integer),
)

resourceplanperiod = Table(
    "marketplace_resourceplanperiod",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("modified", DateTime(timezone=True)),
    Column("start", DateTime(timezone=True)),
    Column("end", DateTime(timezone=True)),
    Column("uuid", Uuid),
    Column("plan_id", Integer),
    Column("resource_id", Integer),
)

resourceuser = Table(
    "marketplace_resourceuser",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("resource_id", Integer),
    info=OLDER,
)

robotaccount = Table(
    "marketplace_robotaccount",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("modified", DateTime(timezone=True)),
    Column("uuid", Uuid),
    Column("type", String),
    Column("username", String),
    Column("keys", JSONB),
    Column("resource_id", Integer),
    Column("backend_id", String),
    Column("backend_metadata", JSONB),
    Column("state", Integer, info=NEWER),
)

robotaccount_users = Table(
    "marketplace_robotaccount_users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("robotaccount_id", Integer),
)
