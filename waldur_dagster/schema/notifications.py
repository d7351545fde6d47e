"""Broadcast messages."""

from sqlalchemy import Column, Date, Integer, String, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.schema.base import metadata

broadcastmessage = Table(
    "notifications_broadcastmessage",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("subject", String),
    Column("body", Text),
    Column("emails", JSONB),
    Column("state", String),
    Column("send_at", Date),
)
