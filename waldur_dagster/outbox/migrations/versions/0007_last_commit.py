"""By what a COMMIT that was lost with its connection is told from one that was never done."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

SCHEMA = "waldur_dagster"


def upgrade() -> None:
    op.create_table(
        "last_commit",
        sa.Column("entry", sa.Text, primary_key=True),
        sa.Column("mark", sa.Uuid, comment="of the transaction that an entry's runs committed last"),
        sa.Column("made", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        schema=SCHEMA,
    )


def downgrade() -> None:
    op.drop_table("last_commit", schema=SCHEMA)
