"""Results of logins with Mobile ID."""

from sqlalchemy import Column, DateTime, Integer, Table

from waldur_dagster.schema.base import metadata

authresult = Table(
    "waldur_auth_valimo_authresult",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
)
