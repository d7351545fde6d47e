"""Links of robot accounts with LEXIS."""

from sqlalchemy import Column, Integer, Table

from waldur_dagster.schema.base import metadata

lexislink = Table(
    "waldur_lexis_lexislink",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("robot_account_id", Integer),
    Column("state", Integer),
)
