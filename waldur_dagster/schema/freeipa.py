"""Accounts in FreeIPA."""

from sqlalchemy import Boolean, Column, DateTime, Integer, String, Table, Uuid

from waldur_dagster.schema.base import metadata

profile = Table(
    "waldur_freeipa_profile",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("username", String),
    Column("agreement_date", DateTime(timezone=True)),
    Column("is_active", Boolean),
    Column("user_id", Integer),
)
