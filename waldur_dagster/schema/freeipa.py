"""Accounts in FreeIPA."""

from sqlalchemy import Boolean, Column, DateTime, Index, Integer, String, Table, UniqueConstraint, Uuid

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

profile = Table(
    "waldur_freeipa_profile",
    metadata,
    identity(),
    Column("uuid", Uuid, nullable=False),
    Column("username", String(32), nullable=False),
    Column("agreement_date", DateTime(timezone=True), nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column(
        "user_id",
        Integer,
        references("core_user.id", OnDelete.CASCADE, name="waldur_freeipa_profile_user_id_7b1b960a_fk_core_user_id"),
        nullable=False,
    ),
    UniqueConstraint("user_id", name="waldur_freeipa_profile_user_id_key"),
    UniqueConstraint("username", name="waldur_freeipa_profile_username_key"),
    UniqueConstraint("uuid", name="waldur_freeipa_profile_uuid_key"),
    Index(
        "waldur_freeipa_profile_username_efaed61a_like", "username", postgresql_ops={"username": "varchar_pattern_ops"}
    ),
)
