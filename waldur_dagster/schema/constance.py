"""Settings that administrators keep in the database."""

from sqlalchemy import Column, Index, String, Table, Text, UniqueConstraint

from waldur_dagster.schema.base import identity, metadata

config = Table(
    "constance_config",
    metadata,
    identity(),
    Column("key", String(255), nullable=False),
    Column("value", Text),
    UniqueConstraint("key", name="constance_config_key_key"),
    Index("constance_config_key_baef3136_like", "key", postgresql_ops={"key": "varchar_pattern_ops"}),
)
