"""Offerings that run operators' scripts."""

from sqlalchemy import Column, DateTime, Index, Integer, String, Table, Text, UniqueConstraint, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

dryrun = Table(
    "marketplace_script_dryrun",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("error_traceback", Text, nullable=False),
    Column("order_attributes", JSONB, nullable=False),
    Column("order_type", String(255), nullable=False),
    Column("state", Integer, nullable=False),
    Column("output", Text, nullable=False),
    Column(
        "order_offering_id",
        Integer,
        references(
            "marketplace_offering.id",
            OnDelete.SET_NULL,
            name="marketplace_script_d_order_offering_id_c3426750_fk_marketpla",
        ),
    ),
    Column(
        "order_plan_id",
        Integer,
        references(
            "marketplace_plan.id", OnDelete.CASCADE, name="marketplace_script_d_order_plan_id_a76cf07f_fk_marketpla"
        ),
    ),
    Column(
        "order_id",
        Integer,
        references(
            "marketplace_order.id", OnDelete.SET_NULL, name="marketplace_script_d_order_id_da942583_fk_marketpla"
        ),
    ),
    UniqueConstraint("uuid", name="marketplace_script_dryrun_uuid_key"),
    Index("marketplace_script_dryrun_order_item_id_d47f2352", "order_id"),
    Index("marketplace_script_dryrun_order_item_offering_id_17086048", "order_offering_id"),
    Index("marketplace_script_dryrun_order_item_plan_id_804de73d", "order_plan_id"),
)
