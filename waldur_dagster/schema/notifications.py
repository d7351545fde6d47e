"""Broadcast messages."""

from sqlalchemy import Column, Date, DateTime, Index, Integer, String, Table, Text, UniqueConstraint, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

broadcastmessage = Table(
    "notifications_broadcastmessage",
    metadata,
    identity(),
    Column("uuid", Uuid, nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("subject", String(1000), nullable=False),
    Column("body", Text, nullable=False),
    Column("query", JSONB, nullable=False),
    Column("emails", JSONB, nullable=False),
    Column(
        "author_id",
        Integer,
        references(
            "core_user.id", OnDelete.SET_NULL, name="notifications_notification_author_id_6103fb49_fk_core_user_id"
        ),
    ),
    Column("state", String(30), nullable=False),
    Column("send_at", Date),
    UniqueConstraint("uuid", name="notifications_notification_uuid_key"),
    Index("notifications_notification_author_id_6103fb49", "author_id"),
)
