"""The audit log and the hooks that carry it out."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

event = Table(
    "logging_event",
    metadata,
    identity(),
    Column("uuid", Uuid, nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("event_type", String(100), nullable=False),
    Column("message", Text, nullable=False),
    Column("context", JSONB, nullable=False),
    UniqueConstraint("uuid", name="logging_event_uuid_key"),
    Index("logging_event_created_8ea04e43", "created"),
    Index("logging_event_event_type_1cc1660c", "event_type"),
    Index("logging_event_event_type_1cc1660c_like", "event_type", postgresql_ops={"event_type": "varchar_pattern_ops"}),
)

feed = Table(
    "logging_feed",
    metadata,
    identity(),
    Column("object_id", Integer, nullable=False),
    Column(
        "content_type_id",
        Integer,
        references(
            "django_content_type.id",
            OnDelete.CASCADE,
            name="logging_feed_content_type_id_f9d57048_fk_django_content_type_id",
        ),
        nullable=False,
    ),
    Column(
        "event_id",
        Integer,
        references("logging_event.id", OnDelete.CASCADE, name="logging_feed_event_id_b18f4d84_fk_logging_event_id"),
        nullable=False,
    ),
    CheckConstraint("object_id >= 0", name="logging_feed_object_id_check"),
    Index("logging_feed_content_type_id_f9d57048", "content_type_id"),
    Index("logging_feed_event_id_b18f4d84", "event_id"),
    Index("logging_feed_object_id_d9b2782c", "object_id"),
)

webhook = Table(
    "logging_webhook",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("event_types", JSONB, nullable=False),
    Column("event_groups", JSONB, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("last_published", DateTime(timezone=True), nullable=False),
    Column("destination_url", String(200), nullable=False),
    Column("content_type", SmallInteger, nullable=False),
    Column(
        "user_id",
        Integer,
        references("core_user.id", OnDelete.CASCADE, name="logging_webhook_user_id_b7784d33_fk_core_user_id"),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="logging_webhook_uuid_key"),
    Index("logging_webhook_user_id_b7784d33", "user_id"),
)

emailhook = Table(
    "logging_emailhook",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("event_types", JSONB, nullable=False),
    Column("event_groups", JSONB, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("last_published", DateTime(timezone=True), nullable=False),
    Column("email", String(320), nullable=False),
    Column(
        "user_id",
        Integer,
        references("core_user.id", OnDelete.CASCADE, name="logging_emailhook_user_id_a6e2169a_fk_core_user_id"),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="logging_emailhook_uuid_key"),
    Index("logging_emailhook_user_id_a6e2169a", "user_id"),
)

systemnotification = Table(
    "logging_systemnotification",
    metadata,
    identity(),
    Column("event_types", JSONB, nullable=False),
    Column("event_groups", JSONB, nullable=False),
    Column(
        "hook_content_type_id",
        Integer,
        references(
            "django_content_type.id",
            OnDelete.CASCADE,
            name="logging_systemnotifi_hook_content_type_id_cf33d6bb_fk_django_co",
        ),
        nullable=False,
    ),
    Column("name", String(150), nullable=False),
    Column("roles", Text, nullable=False),
    Index("logging_systemnotification_hook_content_type_id_cf33d6bb", "hook_content_type_id"),
)
