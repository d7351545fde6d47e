"""Who has an account where, and whether the agents that make accounts are there."""

from sqlalchemy import Boolean, Column, DateTime, Integer, String, Table, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.schema.base import NEWER, OLDER, metadata

offeringuser = Table(
    "marketplace_offeringuser",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("modified", DateTime(timezone=True)),
    Column("uuid", Uuid),
    Column("username", String),
    Column("offering_id", Integer),
    Column("user_id", Integer),
    Column("propagation_date", DateTime(timezone=True), info=OLDER),
    Column("backend_metadata", JSONB),
    Column("is_restricted", Boolean),
    Column("state", Integer, info=NEWER),
)

userofferingconsent = Table(
    "marketplace_userofferingconsent",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("offering_id", Integer),
    Column("user_id", Integer),
    Column("revocation_date", DateTime(timezone=True)),
    info=NEWER,
)

integrationstatus = Table(
    "marketplace_integrationstatus",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("offering_id", Integer),
    Column("agent_type", String),
    Column("status", Integer),
    Column("last_request_timestamp", DateTime(timezone=True)),
)
