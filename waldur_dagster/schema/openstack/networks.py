"""Networks of tenants."""

from sqlalchemy import Column, DateTime, Integer, String, Table, Text, Uuid

from waldur_dagster.schema.base import metadata

network = Table(
    "openstack_network",
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

subnet = Table(
    "openstack_subnet",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("name", String),
    Column("uuid", Uuid),
    Column("error_message", Text),
    Column("state", Integer),
    Column("backend_id", String),
    Column("network_id", Integer),
    Column("error_traceback", Text),
    Column("project_id", Integer),
    Column("service_settings_id", Integer),
)

port = Table(
    "openstack_port",
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

router = Table(
    "openstack_router",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("name", String),
    Column("uuid", Uuid),
    Column("backend_id", String),
    Column("error_message", Text),
    Column("error_traceback", Text),
    Column("state", Integer),
    Column("project_id", Integer),
    Column("service_settings_id", Integer),
)

floatingip = Table(
    "openstack_floatingip",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("backend_id", String),
    Column("error_message", Text),
    Column("modified", DateTime(timezone=True)),
    Column("name", String),
    Column("runtime_state", String),
    Column("state", Integer),
    Column("error_traceback", Text),
    Column("project_id", Integer),
    Column("service_settings_id", Integer),
)

securitygroup = Table(
    "openstack_securitygroup",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("uuid", Uuid),
    Column("error_message", Text),
    Column("state", Integer),
    Column("backend_id", String),
    Column("modified", DateTime(timezone=True)),
    Column("error_traceback", Text),
    Column("project_id", Integer),
    Column("service_settings_id", Integer),
)
