"""SLURM allocations, and who has an account in them."""

from sqlalchemy import Column, DateTime, Integer, String, Table, Text, Uuid

from waldur_dagster.schema.base import OLDER, metadata

allocation = Table(
    "waldur_slurm_allocation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("name", String),
    Column("uuid", Uuid),
    Column("error_message", Text),
    Column("state", Integer),
    Column("backend_id", String),
    Column("error_traceback", Text),
    Column("project_id", Integer),
    Column("service_settings_id", Integer),
    info=OLDER,
)
