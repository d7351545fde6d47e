"""The outbox's own table, in a schema of its own; alembic migrates it (see ``migrations``)."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

SCHEMA = "waldur_dagster"
WAITING, DELIVERED, GIVEN_UP, DROPPED = "waiting", "delivered", "given up", "dropped"

metadata = MetaData(schema=SCHEMA)

message = Table(
    "outbox_message",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("key", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("entry", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("created", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("state", Text, nullable=False, server_default=WAITING),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("finished", DateTime(timezone=True)),
    Column("last_error", Text),
    UniqueConstraint("key", name="outbox_message_key"),
    Index("outbox_message_waiting", "next_attempt", "id", postgresql_where=text("state = 'waiting'")),
)
