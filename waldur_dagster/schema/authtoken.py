"""Tokens of Waldur's REST API."""

from sqlalchemy import Column, DateTime, Index, Integer, String, Table, UniqueConstraint

from waldur_dagster.schema.base import OnDelete, metadata, references

token = Table(
    "authtoken_token",
    metadata,
    Column("key", String(40), primary_key=True),
    Column("created", DateTime(timezone=True), nullable=False),
    Column(
        "user_id",
        Integer,
        references("core_user.id", OnDelete.CASCADE, name="authtoken_token_user_id_35299eff_fk_core_user_id"),
        nullable=False,
    ),
    UniqueConstraint("user_id", name="authtoken_token_user_id_key"),
    Index("authtoken_token_key_10f0b77e_like", "key", postgresql_ops={"key": "varchar_pattern_ops"}),
)
