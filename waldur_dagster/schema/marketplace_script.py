"""Offerings that run operators' scripts."""

from sqlalchemy import Column, DateTime, Integer, Table

from waldur_dagster.schema.base import metadata

dryrun = Table(
    "marketplace_script_dryrun",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("state", Integer),
    Column("order_id", Integer),
)
