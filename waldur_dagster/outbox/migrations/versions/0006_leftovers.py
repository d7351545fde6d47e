"""What was seen as a leftover at outside systems, so that only what is seen twice in a row is deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

SCHEMA = "waldur_dagster"


def upgrade() -> None:
    op.create_table(
        "leftover",
        sa.Column("place", sa.Text, primary_key=True),
        sa.Column("object_id", sa.Text, primary_key=True),
        sa.Column("seen", sa.DateTime(timezone=True), nullable=False, comment="first of the times in a row"),
        schema=SCHEMA,
    )


def downgrade() -> None:
    op.drop_table("leftover", schema=SCHEMA)
