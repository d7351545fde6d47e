"""Logins through other identity providers."""

from sqlalchemy import Column, Integer, String, Table, Text

from waldur_dagster.schema.base import metadata

oauthtoken = Table(
    "waldur_auth_social_oauthtoken",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("provider", String),
    Column("access_token", Text),
    Column("user_id", Integer),
)
