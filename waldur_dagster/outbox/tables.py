"""The program's own tables, in a schema of their own; alembic migrates them (see ``migrations``)."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Computed,
    Date,
    DateTime,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.own_schema import metadata

WAITING, SENDING, DELIVERED = "waiting", "sending", "delivered"
PERHAPS, GIVEN_UP, DROPPED = "perhaps delivered", "given up", "dropped"
UNFINISHED = (WAITING, SENDING)
# What an operator, or a job that asks again, can make due.
CAN_BE_RETRIED = (WAITING, PERHAPS, GIVEN_UP)

# The outside system that a message is for: its kind, and of web hooks the host too.
SYSTEM = (
    "CASE WHEN kind = 'webhook' THEN 'webhook '"
    " || coalesce(lower(substring(payload ->> 'url' from '^[^:]+://(?:[^/?#]*@)?([^/?#]+)')), '')"
    " ELSE kind END"
)

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
    Column("origin", Text, comment="deployment and database that wrote it; null: whoever has it"),
    Column("system", Text, Computed(SYSTEM, persisted=True)),
    Column("unknown", Integer, nullable=False, server_default="0", comment="attempts of unknown fate"),
    Column("claimed_by", Text, comment="the process that is sending it, or was the last to"),
    Column("claim_lock", Integer, comment="the advisory lock that this process holds while it lives"),
    Column("claimed_until", DateTime(timezone=True)),
    UniqueConstraint("key", name="outbox_message_key"),
    Index("outbox_message_due", "system", "next_attempt", "id", postgresql_where=text("state = 'waiting'")),
    Index("outbox_message_sending", "claimed_until", postgresql_where=text("state = 'sending'")),
    Index("outbox_message_finished", "finished", postgresql_where=text("finished IS NOT NULL")),
)

system = Table(
    "outbox_system",
    metadata,
    Column("name", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("failures", Integer, nullable=False, server_default="1"),
    Column("next_try", DateTime(timezone=True), nullable=False),
    comment="outside systems that are down, or wrongly configured; their messages wait until next_try",
)

reminded = Table(
    "reminded",
    metadata,
    Column("entry", Text, primary_key=True),
    Column("day", Date, nullable=False),
)

# Rows that this program has begun to delete in an outside system, so that a later run continues these and no others.
begun_deletion = Table(
    "begun_deletion",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("object_id", Integer, primary_key=True, autoincrement=False),
    Column("begun", DateTime(timezone=True), nullable=False),
)

# What site agents were told: the last message about an object for each queue, and when it was last to be sent.
agent_message = Table(
    "agent_message",
    metadata,
    Column("object_type", Text, primary_key=True),
    Column("object_id", Integer, primary_key=True, autoincrement=False),
    Column("topic", Text, primary_key=True),
    Column("tried", DateTime(timezone=True), nullable=False),
    Column("sent", DateTime(timezone=True)),
    Column("content", JSONB),
    Column("sequence", Integer, nullable=False),
)

# What was seen as a leftover at an outside system when it was last read: only what is seen twice in a row is deleted.
leftover = Table(
    "leftover",
    metadata,
    Column("place", Text, primary_key=True),
    Column("object_id", Text, primary_key=True),
    Column("seen", DateTime(timezone=True), nullable=False, comment="first of the times in a row"),
)
