"""Changes to projects that a provider at another Waldur is to approve."""

from sqlalchemy import Column, DateTime, Integer, Table

from waldur_dagster.schema.base import metadata

projectupdaterequest = Table(
    "marketplace_remote_projectupdaterequest",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("state", Integer),
    Column("project_id", Integer),
)
