"""Invitations to roles, single and for groups, and requests for them."""

from sqlalchemy import Boolean, Column, DateTime, Integer, String, Table, Text, Uuid

from waldur_dagster.schema.base import metadata

invitation = Table(
    "users_invitation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("modified", DateTime(timezone=True)),
    Column("uuid", Uuid),
    Column("error_message", Text),
    Column("state", String),
    Column("email", String),
    Column("civil_number", String),
    Column("created_by_id", Integer),
    Column("full_name", String),
    Column("job_title", String),
    Column("native_name", String),
    Column("organization", String),
    Column("phone_number", String),
    Column("error_traceback", Text),
    Column("extra_invitation_text", Text),
    Column("content_type_id", Integer),
    Column("object_id", Integer),
    Column("role_id", Integer),
    Column("execution_state", String),
)

groupinvitation = Table(
    "users_groupinvitation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("is_active", Boolean),
)
