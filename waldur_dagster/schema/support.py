"""The help desk: what Waldur keeps of it."""

from sqlalchemy import Boolean, Column, Integer, String, Table, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.schema.base import NEWER, metadata

priority = Table(
    "support_priority",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("name", String),
    Column("description", String),
    Column("icon_url", String),
    Column("backend_id", String),
    Column("backend_name", String),
)

supportuser = Table(
    "support_supportuser",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("name", String),
    Column("backend_id", String),
    Column("backend_name", String),
    Column("is_active", Boolean),
    Column("user_id", Integer),
)

requesttype = Table(
    "support_requesttype",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("name", String),
    Column("backend_id", Integer),
    Column("issue_type_name", String),
    Column("fields", JSONB),
    Column("backend_name", String),
    Column("is_active", Boolean, info=NEWER),
    Column("order", Integer, info=NEWER),
)
