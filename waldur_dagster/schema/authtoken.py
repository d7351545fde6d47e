"""Tokens of Waldur's REST API."""

from sqlalchemy import Column, DateTime, Integer, String, Table

from waldur_dagster.schema.base import metadata

token = Table(
    "authtoken_token",
    metadata,
    Column("key", String, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("user_id", Integer),
)
