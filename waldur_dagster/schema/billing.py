"""Estimated cost of the current month."""

from sqlalchemy import Column, Double, Integer, Table, Uuid

from waldur_dagster.schema.base import metadata

priceestimate = Table(
    "billing_priceestimate",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("object_id", Integer),
    Column("total", Double),
    Column("content_type_id", Integer),
)
