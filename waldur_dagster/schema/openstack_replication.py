"""Moves of tenants between clouds."""

from sqlalchemy import Column, DateTime, Index, Integer, Table, Text, UniqueConstraint, Uuid

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

migration = Table(
    "waldur_openstack_replication_migration",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("error_traceback", Text, nullable=False),
    Column("state", Integer, nullable=False),
    Column("mappings", Text),
    Column(
        "created_by_id",
        Integer,
        references("core_user.id", OnDelete.CASCADE, name="waldur_openstack_rep_created_by_id_259509e3_fk_core_user"),
        nullable=False,
    ),
    Column(
        "dst_resource_id",
        Integer,
        references(
            "marketplace_resource.id",
            OnDelete.CASCADE,
            name="waldur_openstack_rep_dst_resource_id_5c1270c2_fk_marketpla",
        ),
        nullable=False,
    ),
    Column(
        "src_resource_id",
        Integer,
        references(
            "marketplace_resource.id",
            OnDelete.CASCADE,
            name="waldur_openstack_rep_src_resource_id_ba2b47df_fk_marketpla",
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="waldur_openstack_replication_migration_uuid_key"),
    Index("waldur_openstack_replication_migration_created_by_id_259509e3", "created_by_id"),
    Index("waldur_openstack_replication_migration_dst_resource_id_5c1270c2", "dst_resource_id"),
    Index("waldur_openstack_replication_migration_src_resource_id_ba2b47df", "src_resource_id"),
)
