"""Users, and which notifications are sent."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

user = Table(
    "core_user",
    metadata,
    identity(),
    Column("password", String(128), nullable=False),
    Column("last_login", DateTime(timezone=True)),
    Column("is_superuser", Boolean, nullable=False),
    Column("description", String(2000), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("username", String(128), nullable=False),
    Column("civil_number", String(50)),
    Column("native_name", String(100), nullable=False),
    Column("phone_number", String(255), nullable=False),
    Column("organization", String(255), nullable=False),
    Column("job_title", String(120), nullable=False),
    Column("email", String(320), nullable=False),
    Column("is_staff", Boolean, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("is_support", Boolean, nullable=False),
    Column("date_joined", DateTime(timezone=True), nullable=False),
    Column("registration_method", String(50), nullable=False),
    Column("agreement_date", DateTime(timezone=True)),
    Column("preferred_language", String(10), nullable=False),
    Column("token_lifetime", Integer),
    Column("details", JSONB, nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column("is_identity_manager", Boolean, nullable=False),
    Column("affiliations", JSONB, nullable=False),
    Column("first_name", String(100), nullable=False),
    Column("last_name", String(100), nullable=False),
    Column("last_sync", DateTime(timezone=True), nullable=False),
    Column("query_field", String(300), nullable=False),
    Column("notifications_enabled", Boolean, nullable=False),
    Column("image", String(100)),
    Column("identity_source", String(50), nullable=False),
    Column("slug", String(50), nullable=False),
    UniqueConstraint("civil_number", name="core_user_civil_number_key"),
    UniqueConstraint("username", name="core_user_username_key"),
    UniqueConstraint("uuid", name="core_user_uuid_key"),
    CheckConstraint("token_lifetime >= 0", name="core_user_token_lifetime_check"),
    Index(
        "core_user_civil_number_3fd47de7_like", "civil_number", postgresql_ops={"civil_number": "varchar_pattern_ops"}
    ),
    Index("core_user_slug_4533e718", "slug"),
    Index("core_user_slug_4533e718_like", "slug", postgresql_ops={"slug": "varchar_pattern_ops"}),
    Index("core_user_username_36e4f7f7_like", "username", postgresql_ops={"username": "varchar_pattern_ops"}),
)

notification = Table(
    "core_notification",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("key", String(255), nullable=False),
    Column("enabled", Boolean, nullable=False),
    UniqueConstraint("key", name="core_notification_key_key"),
    UniqueConstraint("uuid", name="core_notification_uuid_key"),
    Index("core_notification_key_9c7b1ac9_like", "key", postgresql_ops={"key": "varchar_pattern_ops"}),
)

feature = Table(
    "core_feature",
    metadata,
    identity(),
    Column("key", Text, nullable=False),
    Column("value", Boolean, nullable=False),
    UniqueConstraint("key", name="core_feature_key_key"),
    Index("core_feature_key_c1bf6fd8_like", "key", postgresql_ops={"key": "text_pattern_ops"}),
)

sshpublickey = Table(
    "core_sshpublickey",
    metadata,
    identity(),
    Column("uuid", Uuid, nullable=False),
    Column("name", String(150), nullable=False),
    Column("fingerprint_md5", String(47), nullable=False),
    Column("public_key", Text, nullable=False),
    Column("is_shared", Boolean, nullable=False),
    Column(
        "user_id",
        Integer,
        references("core_user.id", OnDelete.CASCADE, name="core_sshpublickey_user_id_ffda8276_fk_core_user_id"),
        nullable=False,
    ),
    Column("fingerprint_sha256", String(51), nullable=False),
    Column("fingerprint_sha512", String(94), nullable=False),
    UniqueConstraint("user_id", "name", name="core_sshpublickey_user_id_name_8f21c2d8_uniq"),
    UniqueConstraint("uuid", name="core_sshpublickey_uuid_key"),
    Index("core_sshpublickey_user_id_ffda8276", "user_id"),
)
