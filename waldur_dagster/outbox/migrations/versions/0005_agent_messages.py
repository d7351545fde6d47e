"""What site agents were told, and when they were to be told last."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"

SCHEMA = "waldur_dagster"


def upgrade() -> None:
    op.create_table(
        "agent_message",
        sa.Column("object_type", sa.Text, primary_key=True),
        sa.Column("object_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("tried", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent", sa.DateTime(timezone=True)),
        sa.Column("content", JSONB),
        sa.Column("sequence", sa.Integer, nullable=False),
        schema=SCHEMA,
    )


def downgrade() -> None:
    op.drop_table("agent_message", schema=SCHEMA)
