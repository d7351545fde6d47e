"""What an OpenStack cloud offers: flavors, images, zones; and the links between tables of a cloud."""

from sqlalchemy import Boolean, Column, Integer, SmallInteger, String, Table, Uuid

from waldur_dagster.schema.base import metadata


def _link(table: str, owner: str, target: str) -> Table:
    return Table(
        table,
        metadata,
        Column("id", Integer, primary_key=True),
        Column(f"{owner}_id", Integer),
        Column(f"{target}_id", Integer),
    )


flavor = Table(
    "openstack_flavor",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("uuid", Uuid),
    Column("backend_id", String),
    Column("cores", SmallInteger),
    Column("ram", Integer),
    Column("disk", Integer),
    Column("settings_id", Integer),
)

image = Table(
    "openstack_image",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("uuid", Uuid),
    Column("backend_id", String),
    Column("min_ram", Integer),
    Column("min_disk", Integer),
    Column("settings_id", Integer),
)

instanceavailabilityzone, volumeavailabilityzone = (
    Table(
        f"openstack_{kind}availabilityzone",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("name", String),
        Column("uuid", Uuid),
        Column("available", Boolean),
        Column("settings_id", Integer),
        Column("tenant_id", Integer),
    )
    for kind in ("instance", "volume")
)

securitygrouprule = Table(
    "openstack_securitygrouprule",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("backend_id", String),
    Column("ethertype", String),
    Column("direction", String),
    Column("protocol", String),
    Column("from_port", Integer),
    Column("to_port", Integer),
    Column("cidr", String),
    Column("description", String),
    Column("security_group_id", Integer),
    Column("remote_group_id", Integer),
)

# The owner of the links comes first.
flavor_tenants = _link("openstack_flavor_tenants", "tenant", "flavor")
image_tenants = _link("openstack_image_tenants", "tenant", "image")
volumetype_tenants = _link("openstack_volumetype_tenants", "tenant", "volumetype")
instance_security_groups = _link("openstack_instance_security_groups", "instance", "securitygroup")
port_security_groups = _link("openstack_port_security_groups", "port", "securitygroup")
backup_snapshots = _link("openstack_backup_snapshots", "backup", "snapshot")
