"""Claims, owners and outside systems of messages."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

SCHEMA = "waldur_dagster"
SYSTEM = (
    "CASE WHEN kind = 'webhook' THEN 'webhook '"
    " || coalesce(lower(substring(payload ->> 'url' from '^[^:]+://(?:[^/?#]*@)?([^/?#]+)')), '')"
    " ELSE kind END"
)


def upgrade() -> None:
    for column in (
        sa.Column("origin", sa.Text, comment="deployment and database that wrote it; null: whoever has it"),
        sa.Column("system", sa.Text, sa.Computed(SYSTEM, persisted=True)),
        sa.Column("unknown", sa.Integer, nullable=False, server_default="0", comment="attempts of unknown fate"),
        sa.Column("claimed_by", sa.Text, comment="the process that is sending it, or was the last to"),
        sa.Column("claim_lock", sa.Integer, comment="the advisory lock that this process holds while it lives"),
        sa.Column("claimed_until", sa.DateTime(timezone=True)),
    ):
        op.add_column("outbox_message", column, schema=SCHEMA)
    op.drop_index("outbox_message_waiting", "outbox_message", schema=SCHEMA)
    for name, columns, where in (
        ("due", ["system", "next_attempt", "id"], "state = 'waiting'"),
        ("sending", ["claimed_until"], "state = 'sending'"),
        ("finished", ["finished"], "finished IS NOT NULL"),
    ):
        op.create_index(
            f"outbox_message_{name}", "outbox_message", columns, schema=SCHEMA, postgresql_where=sa.text(where)
        )
    op.create_table(
        "outbox_system",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
        sa.Column("failures", sa.Integer, nullable=False, server_default="1"),
        sa.Column("next_try", sa.DateTime(timezone=True), nullable=False),
        schema=SCHEMA,
        comment="outside systems that are down, or wrongly configured; their messages wait until next_try",
    )


def downgrade() -> None:
    op.drop_table("outbox_system", schema=SCHEMA)
    for name in ("due", "sending", "finished"):
        op.drop_index(f"outbox_message_{name}", "outbox_message", schema=SCHEMA)
    for column in ("origin", "system", "unknown", "claimed_by", "claim_lock", "claimed_until"):
        op.drop_column("outbox_message", column, schema=SCHEMA)
    op.create_index(
        "outbox_message_waiting",
        "outbox_message",
        ["next_attempt", "id"],
        schema=SCHEMA,
        postgresql_where=sa.text("state = 'waiting'"),
    )
