"""DigitalOcean resources."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import INET

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

droplet = Table(
    "waldur_digitalocean_droplet",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("name", String(150), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("latitude", Double),
    Column("longitude", Double),
    Column("runtime_state", String(150), nullable=False),
    Column("state", Integer, nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column("cores", SmallInteger, nullable=False),
    Column("ram", Integer, nullable=False),
    Column("disk", Integer, nullable=False),
    Column("min_ram", Integer, nullable=False),
    Column("min_disk", Integer, nullable=False),
    Column("image_name", String(150), nullable=False),
    Column("key_name", String(50), nullable=False),
    Column("key_fingerprint", String(47), nullable=False),
    Column("user_data", Text, nullable=False),
    Column("start_time", DateTime(timezone=True)),
    Column("transfer", Integer, nullable=False),
    Column("ip_address", INET),
    Column("region_name", String(150), nullable=False),
    Column("size_name", String(150), nullable=False),
    Column("error_traceback", Text, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="waldur_digitalocean__project_id_c17dfbab_fk_structure"
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="waldur_digitalocean__service_settings_id_b951cbf7_fk_structure",
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="waldur_digitalocean_droplet_uuid_key"),
    CheckConstraint("cores >= 0", name="waldur_digitalocean_droplet_cores_check"),
    CheckConstraint("disk >= 0", name="waldur_digitalocean_droplet_disk_check"),
    CheckConstraint("min_disk >= 0", name="waldur_digitalocean_droplet_min_disk_check"),
    CheckConstraint("min_ram >= 0", name="waldur_digitalocean_droplet_min_ram_check"),
    CheckConstraint("ram >= 0", name="waldur_digitalocean_droplet_ram_check"),
    CheckConstraint("transfer >= 0", name="waldur_digitalocean_droplet_transfer_check"),
    Index("waldur_digitalocean_droplet_project_id_c17dfbab", "project_id"),
    Index("waldur_digitalocean_droplet_service_settings_id_b951cbf7", "service_settings_id"),
)
