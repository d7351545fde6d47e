"""Slots of bookable resources."""

from sqlalchemy import Column, Integer, Table

from waldur_dagster.schema.base import metadata

bookingslot = Table(
    "booking_bookingslot",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("resource_id", Integer),
)
