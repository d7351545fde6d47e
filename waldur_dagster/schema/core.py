"""Users, and which notifications are sent."""

from sqlalchemy import Boolean, Column, DateTime, Integer, String, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.schema.base import NEWER, metadata

user = Table(
    "core_user",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("password", String),
    Column("is_superuser", Boolean),
    Column("description", String),
    Column("uuid", Uuid),
    Column("username", String),
    Column("civil_number", String),
    Column("native_name", String),
    Column("phone_number", String),
    Column("organization", String),
    Column("job_title", String),
    Column("email", String),
    Column("is_staff", Boolean),
    Column("is_active", Boolean),
    Column("is_support", Boolean),
    Column("date_joined", DateTime(timezone=True)),
    Column("registration_method", String),
    Column("preferred_language", String),
    Column("token_lifetime", Integer),
    Column("details", JSONB),
    Column("backend_id", String),
    Column("is_identity_manager", Boolean),
    Column("affiliations", JSONB),
    Column("first_name", String),
    Column("last_name", String),
    Column("last_sync", DateTime(timezone=True)),
    Column("query_field", String),
    Column("notifications_enabled", Boolean),
    Column("image", String),
    Column("identity_source", String),
    Column("slug", String),
    Column("modified", DateTime(timezone=True), info=NEWER),
    Column("active_isds", JSONB, info=NEWER),
    Column("attribute_sources", JSONB, info=NEWER),
)

notification = Table(
    "core_notification",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String),
    Column("enabled", Boolean),
)

feature = Table(
    "core_feature",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text),
    Column("value", Boolean),
)

sshpublickey = Table(
    "core_sshpublickey",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("name", String),
    Column("fingerprint_md5", String),
    Column("fingerprint_sha256", String),
    Column("fingerprint_sha512", String),
    Column("public_key", Text),
    Column("is_shared", Boolean),
    Column("user_id", Integer),
)
