"""Amazon resources, and what Amazon has for them, which all accounts share."""

from sqlalchemy import Column, DateTime, Integer, Numeric, SmallInteger, String, Table, Text, Uuid

from waldur_dagster.schema.base import metadata

instance = Table(
    "waldur_aws_instance",
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
)

volume = Table(
    "waldur_aws_volume",
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
)

region = Table(
    "waldur_aws_region",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("name", String),
    Column("backend_id", String),
)

image = Table(
    "waldur_aws_image",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("backend_id", String),
    Column("region_id", Integer),
)

size = Table(
    "waldur_aws_size",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("name", String),
    Column("backend_id", String),
    Column("cores", SmallInteger),
    Column("ram", Integer),
    Column("disk", Integer),
    Column("price", Numeric(11, 5)),
)

size_regions = Table(
    "waldur_aws_size_regions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("size_id", Integer),
    Column("region_id", Integer),
)
