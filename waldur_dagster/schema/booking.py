"""Slots of bookable resources."""

from sqlalchemy import Column, DateTime, Index, Integer, String, Table

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

bookingslot = Table(
    "booking_bookingslot",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("start", DateTime(timezone=True), nullable=False),
    Column("end", DateTime(timezone=True), nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column(
        "resource_id",
        Integer,
        references(
            "marketplace_resource.id", OnDelete.CASCADE, name="booking_bookingslot_resource_id_7d08aff2_fk_marketpla"
        ),
        nullable=False,
    ),
    Index("booking_bookingslot_resource_id_7d08aff2", "resource_id"),
)
