"""Settings that administrators keep in the database."""

from sqlalchemy import Column, Integer, String, Table, Text

from waldur_dagster.schema.base import NEWER, OLDER, metadata

config = Table(
    "constance_config",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String),
    Column("value", Text),
    info=OLDER,
)

constance = Table(
    "constance_constance",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String),
    Column("value", Text),
    info=NEWER,
)
