"""Tenants of OpenStack, and what keeps their copies."""

from sqlalchemy import Column, DateTime, Integer, String, Table, Text, Uuid

from waldur_dagster.schema.base import OLDER, metadata

tenant = Table(
    "openstack_tenant",
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
    Column("action", String),
    Column("action_details", Text),
    Column("task_id", String),
    Column("description", String),
    Column("user_username", String),
    Column("user_password", String),
)

backup = Table(
    "openstack_backup",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("name", String),
    Column("uuid", Uuid),
    Column("error_message", Text),
    Column("error_traceback", Text),
    Column("state", Integer),
    Column("backend_id", String),
    Column("instance_id", Integer),
    Column("project_id", Integer),
    Column("service_settings_id", Integer),
    Column("kept_until", DateTime(timezone=True)),
    Column("tenant_id", Integer),
)

backupschedule = Table(
    "openstack_backupschedule",
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
    info=OLDER,
)

snapshotschedule = Table(
    "openstack_snapshotschedule",
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
    info=OLDER,
)
