"""What Azure has in its locations for a subscription: sizes and images of virtual machines."""

from sqlalchemy import Boolean, Column, Double, Integer, SmallInteger, String, Table, Uuid

from waldur_dagster.schema.base import OLDER, metadata

location = Table(
    "waldur_azure_location",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("name", String),
    Column("backend_id", String),
    Column("latitude", Double),
    Column("longitude", Double),
    Column("enabled", Boolean),
    Column("settings_id", Integer),
    info=OLDER,
)

size = Table(
    "waldur_azure_size",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("name", String),
    Column("backend_id", String),
    Column("max_data_disk_count", Integer),
    Column("memory_in_mb", Integer),
    Column("number_of_cores", Integer),
    Column("os_disk_size_in_mb", Integer),
    Column("resource_disk_size_in_mb", Integer),
    Column("settings_id", Integer),
    info=OLDER,
)

sizeavailabilityzone = Table(
    "waldur_azure_sizeavailabilityzone",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("zone", SmallInteger),
    Column("location_id", Integer),
    Column("size_id", Integer),
    info=OLDER,
)

image = Table(
    "waldur_azure_image",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("name", String),
    Column("backend_id", String),
    Column("publisher", String),
    Column("offer", String),
    Column("sku", String),
    Column("version", String),
    Column("location_id", Integer),
    Column("settings_id", Integer),
    info=OLDER,
)
