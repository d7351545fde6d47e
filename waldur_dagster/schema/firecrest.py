"""SLURM jobs that were sent through FirecREST."""

from sqlalchemy import Column, DateTime, Index, Integer, String, Table, Text, UniqueConstraint, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

job = Table(
    "waldur_firecrest_job",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("name", String(150), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("error_traceback", Text, nullable=False),
    Column("state", Integer, nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="waldur_firecrest_job_project_id_435bbbaa_fk_structure"
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="waldur_firecrest_job_service_settings_id_414f1bb9_fk_structure",
        ),
        nullable=False,
    ),
    Column("file", String(100)),
    Column("report", JSONB),
    Column("runtime_state", String(100), nullable=False),
    Column(
        "user_id",
        Integer,
        references("core_user.id", OnDelete.CASCADE, name="waldur_firecrest_job_user_id_0c5835c4_fk_core_user_id"),
    ),
    UniqueConstraint("uuid", name="waldur_firecrest_job_uuid_key"),
    Index("waldur_firecrest_job_project_id_435bbbaa", "project_id"),
    Index("waldur_firecrest_job_service_settings_id_414f1bb9", "service_settings_id"),
    Index("waldur_firecrest_job_user_id_0c5835c4", "user_id"),
)
