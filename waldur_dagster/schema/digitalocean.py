"""DigitalOcean resources."""

from sqlalchemy import Boolean, Column, DateTime, Integer, Numeric, SmallInteger, String, Table, Text, Uuid

from waldur_dagster.schema.base import metadata

droplet = Table(
    "waldur_digitalocean_droplet",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("name", String),
    Column("uuid", Uuid),
    Column("error_message", Text),
    Column("runtime_state", String),
    Column("state", Integer),
    Column("backend_id", String),
    Column("error_traceback", Text),
    Column("project_id", Integer),
    Column("service_settings_id", Integer),
    Column("image_name", String),
)

region = Table(
    "waldur_digitalocean_region",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("name", String),
    Column("backend_id", String),
)

image = Table(
    "waldur_digitalocean_image",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("name", String),
    Column("backend_id", String),
    Column("distribution", String),
    Column("type", String),
    Column("is_official", Boolean),
    Column("min_disk_size", Integer),
    Column("created_at", DateTime(timezone=True)),
)

size = Table(
    "waldur_digitalocean_size",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("name", String),
    Column("backend_id", String),
    Column("cores", SmallInteger),
    Column("ram", Integer),
    Column("disk", Integer),
    Column("transfer", Integer),
    Column("price", Numeric(11, 5)),
)

image_regions = Table(
    "waldur_digitalocean_image_regions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("image_id", Integer),
    Column("region_id", Integer),
)

size_regions = Table(
    "waldur_digitalocean_size_regions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("size_id", Integer),
    Column("region_id", Integer),
)
