"""SLURM jobs that were sent through FirecREST."""

from sqlalchemy import Column, DateTime, Integer, String, Table, Text, Uuid

from waldur_dagster.schema.base import metadata

job = Table(
    "waldur_firecrest_job",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("name", String),
    Column("uuid", Uuid),
    Column("error_message", Text),
    Column("error_traceback", Text),
    Column("state", Integer),
    Column("backend_id", String),
    Column("project_id", Integer),
    Column("service_settings_id", Integer),
    Column("runtime_state", String),
    Column("file", String),
)
