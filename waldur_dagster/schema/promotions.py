"""Discount campaigns."""

from sqlalchemy import Column, DateTime, Integer, String, Table, Uuid

from waldur_dagster.schema.base import metadata

campaign = Table(
    "promotions_campaign",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("discount_type", String),
    Column("discount", Integer),
    Column("months", Integer),
)

discountedresource = Table(
    "promotions_discountedresource",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("campaign_id", Integer),
    Column("resource_id", Integer),
)
