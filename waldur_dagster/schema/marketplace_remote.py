"""Changes to projects that a provider at another Waldur is to approve, and what is taken over from there."""

from sqlalchemy import Boolean, Column, DateTime, Integer, String, Table, Text, Uuid

from waldur_dagster.schema.base import NEWER, metadata

projectupdaterequest = Table(
    "marketplace_remote_projectupdaterequest",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("state", Integer),
    Column("project_id", Integer),
)

# Newer versions: which organization's offerings at another Waldur a provider sells here ...
remotesynchronisation = Table(
    "marketplace_remote_remotesynchronisation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("uuid", Uuid),
    Column("error_message", Text),
    Column("error_traceback", Text),
    Column("state", String),
    Column("api_url", String),
    Column("token", String),
    Column("remote_organization_uuid", Uuid),
    Column("remote_organization_name", String),
    Column("local_service_provider_id", Integer),
    Column("is_active", Boolean),
    Column("last_execution", DateTime(timezone=True)),
    Column("last_output", Text),
    info=NEWER,
)

# ... and which category there is which one here. Its name was added later.
remotelocalcategory = Table(
    "marketplace_remote_remotelocalcategory",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("remote_category", Uuid),
    Column("remote_category_name", String, info=NEWER),
    Column("local_category_id", Integer),
    Column("remote_synchronisation_id", Integer),
    info=NEWER,
)
