"""Quotas: a log of changes in usage, and limits."""

from sqlalchemy import BigInteger, Column, Integer, String, Table

from waldur_dagster.schema.base import metadata

quotausage = Table(
    "quotas_quotausage",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("delta", BigInteger),
    Column("object_id", Integer),
    Column("content_type_id", Integer),
)

quotalimit = Table(
    "quotas_quotalimit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("value", BigInteger),
    Column("object_id", Integer),
    Column("content_type_id", Integer),
)
