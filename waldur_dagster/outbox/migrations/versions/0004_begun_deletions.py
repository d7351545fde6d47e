"""Deletions at OpenStack clouds that a run has begun and a later one continues."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

SCHEMA = "waldur_dagster"


def upgrade() -> None:
    op.create_table(
        "begun_deletion",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("object_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("begun", sa.DateTime(timezone=True), nullable=False),
        schema=SCHEMA,
    )


def downgrade() -> None:
    op.drop_table("begun_deletion", schema=SCHEMA)
