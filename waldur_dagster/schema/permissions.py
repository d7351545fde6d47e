"""Roles, their permissions, and who has them where."""

from sqlalchemy import Boolean, Column, DateTime, Integer, String, Table, Uuid

from waldur_dagster.schema.base import NEWER, metadata

role = Table(
    "permissions_role",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("description", String),
    Column("name", String),
    Column("is_system_role", Boolean),
    Column("description_en", String),
    Column("content_type_id", Integer),
    Column("is_active", Boolean),
)

rolepermission = Table(
    "permissions_rolepermission",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("permission", String),
    Column("role_id", Integer),
)

userrole = Table(
    "permissions_userrole",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("object_id", Integer),
    Column("created", DateTime(timezone=True)),
    Column("expiration_time", DateTime(timezone=True)),
    Column("is_active", Boolean),
    Column("content_type_id", Integer),
    Column("created_by_id", Integer),
    Column("role_id", Integer),
    Column("user_id", Integer),
    Column("modified", DateTime(timezone=True), info=NEWER),
    Column("revoke_reason", String, info=NEWER),
)
