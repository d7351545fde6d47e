"""What an OpenStack cloud offers: flavors, images, zones; and the links between tables of a cloud."""

from sqlalchemy import Boolean, Column, DateTime, Integer, SmallInteger, String, Table, Uuid

from waldur_dagster.schema.base import OnDelete, identity, metadata, references


def _key(name: str, target: str, on_delete: OnDelete = OnDelete.CASCADE, **options: bool) -> Column[int]:
    return Column(name, Integer, references(f"openstack_{target}.id", on_delete, name=f"fk_{target}_{name}"), **options)


def _link(table: str, *targets: str) -> Table:
    return Table(f"openstack_{table}", metadata, identity(), *(_key(f"{t}_id", t, nullable=False) for t in targets))


flavor = Table(
    "openstack_flavor",
    metadata,
    identity(),
    Column("name", String(150), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column("cores", SmallInteger, nullable=False),
    Column("ram", Integer, nullable=False),
    Column("disk", Integer, nullable=False),
    Column("settings_id", Integer, nullable=False),
)
image = Table(
    "openstack_image",
    metadata,
    identity(),
    Column("name", String(150), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column("min_ram", Integer, nullable=False),
    Column("min_disk", Integer, nullable=False),
    Column("settings_id", Integer, nullable=False),
)
instanceavailabilityzone, volumeavailabilityzone = (
    Table(
        f"openstack_{kind}availabilityzone",
        metadata,
        identity(),
        Column("name", String(150), nullable=False),
        Column("uuid", Uuid, nullable=False),
        Column("available", Boolean, nullable=False),
        Column("settings_id", Integer, nullable=False),
        _key("tenant_id", "tenant", nullable=False),
    )
    for kind in ("instance", "volume")
)
securitygrouprule = Table(
    "openstack_securitygrouprule",
    metadata,
    identity(),
    Column("protocol", String(40), nullable=False),
    Column("from_port", Integer),
    Column("to_port", Integer),
    Column("cidr", String(255)),
    Column("backend_id", String(36), nullable=False),
    _key("security_group_id", "securitygroup", nullable=False),
    Column("description", String(2000), nullable=False),
    Column("direction", String(8), nullable=False),
    Column("ethertype", String(40), nullable=False),
    _key("remote_group_id", "securitygroup"),
)
flavor_tenants = _link("flavor_tenants", "flavor", "tenant")
image_tenants = _link("image_tenants", "image", "tenant")
volumetype_tenants = _link("volumetype_tenants", "volumetype", "tenant")
instance_security_groups = _link("instance_security_groups", "instance", "securitygroup")
port_security_groups = _link("port_security_groups", "port", "securitygroup")
backup_snapshots = _link("backup_snapshots", "backup", "snapshot")
backuprestoration = Table(
    "openstack_backuprestoration",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    _key("backup_id", "backup", nullable=False),
    _key("flavor_id", "flavor", OnDelete.SET_NULL),
    _key("instance_id", "instance", nullable=False),
)
snapshotrestoration = Table(
    "openstack_snapshotrestoration",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    _key("snapshot_id", "snapshot", nullable=False),
    _key("volume_id", "volume", nullable=False),
)
