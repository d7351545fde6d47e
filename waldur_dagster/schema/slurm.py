"""SLURM allocations, and who has an account in them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

allocation = Table(
    "waldur_slurm_allocation",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("name", String(150), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("state", Integer, nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column("cpu_limit", BigInteger, nullable=False),
    Column("cpu_usage", BigInteger, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("gpu_limit", BigInteger, nullable=False),
    Column("gpu_usage", BigInteger, nullable=False),
    Column("ram_limit", BigInteger, nullable=False),
    Column("ram_usage", BigInteger, nullable=False),
    Column("error_traceback", Text, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="waldur_slurm_allocat_project_id_3b13bf2c_fk_structure"
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="waldur_slurm_allocat_service_settings_id_d8513655_fk_structure",
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="waldur_slurm_allocation_uuid_key"),
    Index("waldur_slurm_allocation_project_id_3b13bf2c", "project_id"),
    Index("waldur_slurm_allocation_service_settings_id_d8513655", "service_settings_id"),
)

association = Table(
    "waldur_slurm_association",
    metadata,
    identity(),
    Column("uuid", Uuid, nullable=False),
    Column("username", String(128), nullable=False),
    Column(
        "allocation_id",
        Integer,
        references(
            "waldur_slurm_allocation.id",
            OnDelete.CASCADE,
            name="waldur_slurm_associa_allocation_id_b73050d9_fk_waldur_sl",
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="waldur_slurm_association_uuid_key"),
    Index("waldur_slurm_association_allocation_id_b73050d9", "allocation_id"),
)
