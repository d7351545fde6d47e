"""Moves of tenants between clouds."""

from sqlalchemy import Column, Integer, Table

from waldur_dagster.schema.base import metadata

migration = Table(
    "waldur_openstack_replication_migration",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("dst_resource_id", Integer),
    Column("src_resource_id", Integer),
)
