"""The audit log and the hooks that carry it out."""

from sqlalchemy import Boolean, Column, DateTime, Integer, SmallInteger, String, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.schema.base import NEWER, OLDER, metadata

event = Table(
    "logging_event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("created", DateTime(timezone=True)),
    Column("event_type", String),
    Column("message", Text),
    Column("context", JSONB),
)

feed = Table(
    "logging_feed",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("object_id", Integer),
    Column("content_type_id", Integer),
    Column("event_id", Integer),
)

webhook = Table(
    "logging_webhook",
    metadata,
    Column("id", Integer, primary_key=True, info=OLDER),
    Column("event_types", JSONB, info=OLDER),
    Column("is_active", Boolean, info=OLDER),
    Column("user_id", Integer, info=OLDER),
    Column("basehook_ptr_id", Integer, info=NEWER),
    Column("destination_url", String),
    Column("content_type", SmallInteger),
)

emailhook = Table(
    "logging_emailhook",
    metadata,
    Column("id", Integer, primary_key=True, info=OLDER),
    Column("event_types", JSONB, info=OLDER),
    Column("is_active", Boolean, info=OLDER),
    Column("user_id", Integer, info=OLDER),
    Column("basehook_ptr_id", Integer, info=NEWER),
    Column("email", String),
)

# What both kinds of hooks have, where each kind has a table for the rest only.
basehook = Table(
    "logging_basehook",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("event_types", JSONB),
    Column("is_active", Boolean),
    Column("user_id", Integer),
    info=NEWER,
)

systemnotification = Table(
    "logging_systemnotification",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("event_types", JSONB),
    Column("event_groups", JSONB),
    Column("hook_content_type_id", Integer),
    Column("name", String),
    Column("roles", Text),
)

# Who is told by RabbitMQ of what changes: of 2025 and later.
eventsubscription = Table(
    "logging_eventsubscription",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("observable_objects", JSONB),
    Column("user_id", Integer),
    info=NEWER,
)

eventsubscriptionqueue = Table(
    "logging_eventsubscriptionqueue",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("offering_uuid", Uuid),
    Column("object_type", String),
    Column("event_subscription_id", Integer),
    info=NEWER,
)

eventconsumer = Table(
    "logging_eventconsumer",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("rmq_username", String),
    Column("queue_created", Boolean),
    Column("object_types", JSONB),
    Column("user_id", Integer),
    info=NEWER,
)

eventconsumerscope = Table(
    "logging_eventconsumerscope",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("object_id", Integer),
    Column("consumer_id", Integer),
    Column("content_type_id", Integer),
    info=NEWER,
)
