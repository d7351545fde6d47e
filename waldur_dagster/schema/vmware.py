"""VMware virtual machines, their ports and disks, and what vCenters have for them."""

from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Integer, SmallInteger, String, Table, Text, Uuid

from waldur_dagster.schema.base import metadata

virtualmachine = Table(
    "waldur_vmware_virtualmachine",
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

port = Table(
    "waldur_vmware_port",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("name", String),
    Column("uuid", Uuid),
    Column("error_message", Text),
    Column("state", Integer),
    Column("backend_id", String),
    Column("runtime_state", String),
    Column("error_traceback", Text),
    Column("project_id", Integer),
    Column("service_settings_id", Integer),
)

disk = Table(
    "waldur_vmware_disk",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("name", String),
    Column("uuid", Uuid),
    Column("error_message", Text),
    Column("state", Integer),
    Column("backend_id", String),
    Column("error_traceback", Text),
    Column("project_id", Integer),
    Column("service_settings_id", Integer),
)


def _property(kind: str, *columns: Column[Any]) -> Table:
    """What a vCenter has, by its id there."""
    return Table(
        f"waldur_vmware_{kind}",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("uuid", Uuid),
        Column("name", String),
        Column("backend_id", String),
        Column("settings_id", Integer),
        *columns,
    )


folder = _property("folder")
cluster = _property("cluster")
network = _property("network", Column("type", String))
datastore = _property(
    "datastore", Column("type", String), Column("capacity", BigInteger), Column("free_space", BigInteger)
)
template = _property(
    "template",
    Column("description", String),
    Column("guest_os", String),
    Column("cores", SmallInteger),
    Column("cores_per_socket", SmallInteger),
    Column("ram", Integer),
    Column("disk", Integer),
    Column("created", DateTime(timezone=True)),
    Column("modified", DateTime(timezone=True)),
)
