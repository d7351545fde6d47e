"""The last day that each entry has sent its reminders for."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

SCHEMA = "waldur_dagster"


def upgrade() -> None:
    op.create_table(
        "reminded",
        sa.Column("entry", sa.Text, primary_key=True),
        sa.Column("day", sa.Date, nullable=False),
        schema=SCHEMA,
    )


def downgrade() -> None:
    op.drop_table("reminded", schema=SCHEMA)
