"""Estimated cost of the current month."""

from sqlalchemy import CheckConstraint, Column, Double, Index, Integer, Table, UniqueConstraint, Uuid

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

priceestimate = Table(
    "billing_priceestimate",
    metadata,
    identity(),
    Column("uuid", Uuid, nullable=False),
    Column("object_id", Integer),
    Column("total", Double, nullable=False),
    Column(
        "content_type_id",
        Integer,
        references(
            "django_content_type.id",
            OnDelete.CASCADE,
            name="billing_priceestimat_content_type_id_18437943_fk_django_co",
        ),
    ),
    UniqueConstraint("uuid", name="billing_priceestimate_uuid_key"),
    CheckConstraint("object_id >= 0", name="billing_priceestimate_object_id_check"),
    Index("billing_priceestimate_content_type_id_18437943", "content_type_id"),
)
