"""Instances, volumes with their types, and snapshots."""

from sqlalchemy import Column, DateTime, Integer, SmallInteger, String, Table, Text, Uuid

from waldur_dagster.schema.base import metadata

instance = Table(
    "openstack_instance",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("name", String),
    Column("uuid", Uuid),
    Column("error_message", Text),
    Column("error_traceback", Text),
    Column("runtime_state", String),
    Column("state", Integer),
    Column("action", String),
    Column("action_details", Text),
    Column("cores", SmallInteger),
    Column("ram", Integer),
    Column("backend_id", String),
    Column("project_id", Integer),
    Column("service_settings_id", Integer),
    Column("task_id", String),
)

servergroup = Table(
    "openstack_servergroup",
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
)

volume = Table(
    "openstack_volume",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("name", String),
    Column("uuid", Uuid),
    Column("error_message", Text),
    Column("error_traceback", Text),
    Column("runtime_state", String),
    Column("state", Integer),
    Column("action", String),
    Column("action_details", Text),
    Column("size", Integer),
    Column("backend_id", String),
    Column("instance_id", Integer),
    Column("project_id", Integer),
    Column("service_settings_id", Integer),
    Column("type_id", Integer),
    Column("task_id", String),
)

volumetype = Table(
    "openstack_volumetype",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("uuid", Uuid),
    Column("backend_id", String),
)

snapshot = Table(
    "openstack_snapshot",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("name", String),
    Column("uuid", Uuid),
    Column("error_message", Text),
    Column("error_traceback", Text),
    Column("runtime_state", String),
    Column("state", Integer),
    Column("action", String),
    Column("action_details", Text),
    Column("size", Integer),
    Column("backend_id", String),
    Column("project_id", Integer),
    Column("service_settings_id", Integer),
    Column("source_volume_id", Integer),
    Column("task_id", String),
)
