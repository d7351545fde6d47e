"""Instances, volumes with their types, and snapshots."""

from sqlalchemy import (
    Boolean,
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

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

instance = Table(
    "openstack_instance",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("name", String(150), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("error_traceback", Text, nullable=False),
    Column("runtime_state", String(150), nullable=False),
    Column("state", Integer, nullable=False),
    Column("action", String(50), nullable=False),
    Column("action_details", Text, nullable=False),
    Column("latitude", Double),
    Column("longitude", Double),
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
    Column("backend_id", String(255)),
    Column("flavor_name", String(255), nullable=False),
    Column("flavor_disk", Integer, nullable=False),
    Column("hypervisor_hostname", String(255), nullable=False),
    Column("connect_directly_to_external_network", Boolean, nullable=False),
    Column("directly_connected_ips", String(255), nullable=False),
    Column("availability_zone_id", Integer),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id",
            OnDelete.CASCADE,
            name="openstack_instance_project_id_def5ea42_fk_structure_project_id",
        ),
        nullable=False,
    ),
    Column(
        "server_group_id",
        Integer,
        references(
            "openstack_servergroup.id",
            OnDelete.SET_NULL,
            name="openstack_instance_server_group_id_64a6a9bd_fk_openstack",
        ),
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="openstack_instance_service_settings_id_cd9b4dcd_fk_structure",
        ),
        nullable=False,
    ),
    Column(
        "tenant_id",
        Integer,
        references(
            "openstack_tenant.id", OnDelete.CASCADE, name="openstack_instance_tenant_id_9eef0f90_fk_openstack_tenant_id"
        ),
        nullable=False,
    ),
    Column("task_id", String(155)),
    UniqueConstraint(
        "service_settings_id", "backend_id", name="openstack_instance_service_settings_id_backend_id_e4e0fec9_uniq"
    ),
    UniqueConstraint("uuid", name="openstack_instance_uuid_key"),
    CheckConstraint("cores >= 0", name="openstack_instance_cores_check"),
    CheckConstraint("disk >= 0", name="openstack_instance_disk_check"),
    CheckConstraint("flavor_disk >= 0", name="openstack_instance_flavor_disk_check"),
    CheckConstraint("min_disk >= 0", name="openstack_instance_min_disk_check"),
    CheckConstraint("min_ram >= 0", name="openstack_instance_min_ram_check"),
    CheckConstraint("ram >= 0", name="openstack_instance_ram_check"),
    Index("openstack_instance_availability_zone_id_58dbb032", "availability_zone_id"),
    Index("openstack_instance_project_id_def5ea42", "project_id"),
    Index("openstack_instance_server_group_id_64a6a9bd", "server_group_id"),
    Index("openstack_instance_service_settings_id_cd9b4dcd", "service_settings_id"),
    Index("openstack_instance_tenant_id_9eef0f90", "tenant_id"),
)

servergroup = Table(
    "openstack_servergroup",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("name", String(150), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("error_traceback", Text, nullable=False),
    Column("state", Integer, nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column("policy", String(40), nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="openstack_servergrou_project_id_2ee66fd7_fk_structure"
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="openstack_servergrou_service_settings_id_bb03f661_fk_structure",
        ),
        nullable=False,
    ),
    Column(
        "tenant_id",
        Integer,
        references(
            "openstack_tenant.id",
            OnDelete.CASCADE,
            name="openstack_servergroup_tenant_id_e00a2eb7_fk_openstack_tenant_id",
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="openstack_servergroup_uuid_key"),
    Index("openstack_servergroup_project_id_2ee66fd7", "project_id"),
    Index("openstack_servergroup_service_settings_id_bb03f661", "service_settings_id"),
    Index("openstack_servergroup_tenant_id_e00a2eb7", "tenant_id"),
)

volume = Table(
    "openstack_volume",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("name", String(150), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("error_traceback", Text, nullable=False),
    Column("runtime_state", String(150), nullable=False),
    Column("state", Integer, nullable=False),
    Column("action", String(50), nullable=False),
    Column("action_details", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("backend_id", String(255)),
    Column("device", String(50), nullable=False),
    Column("bootable", Boolean, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("image_name", String(150), nullable=False),
    Column("image_metadata", Text, nullable=False),
    Column("availability_zone_id", Integer),
    Column("image_id", Integer),
    Column(
        "instance_id",
        Integer,
        references(
            "openstack_instance.id",
            OnDelete.CASCADE,
            name="openstack_volume_instance_id_4c180586_fk_openstack_instance_id",
        ),
    ),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id",
            OnDelete.CASCADE,
            name="openstack_volume_project_id_1e512f77_fk_structure_project_id",
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="openstack_volume_service_settings_id_0521105c_fk_structure",
        ),
        nullable=False,
    ),
    Column(
        "source_snapshot_id",
        Integer,
        references(
            "openstack_snapshot.id", OnDelete.SET_NULL, name="openstack_volume_source_snapshot_id_211093a0_fk_openstack"
        ),
    ),
    Column(
        "tenant_id",
        Integer,
        references(
            "openstack_tenant.id", OnDelete.CASCADE, name="openstack_volume_tenant_id_dfb5f186_fk_openstack_tenant_id"
        ),
        nullable=False,
    ),
    Column(
        "type_id",
        Integer,
        references(
            "openstack_volumetype.id",
            OnDelete.SET_NULL,
            name="openstack_volume_type_id_68f3460e_fk_openstack_volumetype_id",
        ),
    ),
    Column("task_id", String(155)),
    UniqueConstraint(
        "service_settings_id", "backend_id", name="openstack_volume_service_settings_id_backend_id_96d1c8cf_uniq"
    ),
    UniqueConstraint("uuid", name="openstack_volume_uuid_key"),
    CheckConstraint("size >= 0", name="openstack_volume_size_check"),
    Index("openstack_volume_availability_zone_id_51a99073", "availability_zone_id"),
    Index("openstack_volume_image_id_5f186e9d", "image_id"),
    Index("openstack_volume_instance_id_4c180586", "instance_id"),
    Index("openstack_volume_project_id_1e512f77", "project_id"),
    Index("openstack_volume_service_settings_id_0521105c", "service_settings_id"),
    Index("openstack_volume_source_snapshot_id_211093a0", "source_snapshot_id"),
    Index("openstack_volume_tenant_id_dfb5f186", "tenant_id"),
    Index("openstack_volume_type_id_68f3460e", "type_id"),
)

volumetype = Table(
    "openstack_volumetype",
    metadata,
    identity(),
    Column("description", String(2000), nullable=False),
    Column("name", String(150), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column(
        "settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="openstack_volumetype_settings_id_5d2ed664_fk_structure",
        ),
        nullable=False,
    ),
    Column("disabled", Boolean, nullable=False),
    UniqueConstraint("settings_id", "backend_id", name="openstack_volumetype_settings_id_backend_id_23c75409_uniq"),
    UniqueConstraint("uuid", name="openstack_volumetype_uuid_key"),
    Index("openstack_volumetype_backend_id_c6fafd14", "backend_id"),
    Index(
        "openstack_volumetype_backend_id_c6fafd14_like",
        "backend_id",
        postgresql_ops={"backend_id": "varchar_pattern_ops"},
    ),
    Index("openstack_volumetype_settings_id_5d2ed664", "settings_id"),
)

snapshot = Table(
    "openstack_snapshot",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("name", String(150), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("error_traceback", Text, nullable=False),
    Column("runtime_state", String(150), nullable=False),
    Column("state", Integer, nullable=False),
    Column("action", String(50), nullable=False),
    Column("action_details", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("backend_id", String(255)),
    Column("metadata", Text, nullable=False),
    Column("kept_until", DateTime(timezone=True)),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id",
            OnDelete.CASCADE,
            name="openstack_snapshot_project_id_f6cdd827_fk_structure_project_id",
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="openstack_snapshot_service_settings_id_a1a80362_fk_structure",
        ),
        nullable=False,
    ),
    Column(
        "snapshot_schedule_id",
        Integer,
        references(
            "openstack_snapshotschedule.id",
            OnDelete.SET_NULL,
            name="openstack_snapshot_snapshot_schedule_id_5faae575_fk_openstack",
        ),
    ),
    Column(
        "source_volume_id",
        Integer,
        references(
            "openstack_volume.id", OnDelete.CASCADE, name="openstack_snapshot_source_volume_id_eedb8962_fk_openstack"
        ),
    ),
    Column(
        "tenant_id",
        Integer,
        references(
            "openstack_tenant.id", OnDelete.CASCADE, name="openstack_snapshot_tenant_id_f54d8e00_fk_openstack_tenant_id"
        ),
        nullable=False,
    ),
    Column("task_id", String(155)),
    UniqueConstraint(
        "service_settings_id", "backend_id", name="openstack_snapshot_service_settings_id_backend_id_86ee9dce_uniq"
    ),
    UniqueConstraint("uuid", name="openstack_snapshot_uuid_key"),
    CheckConstraint("size >= 0", name="openstack_snapshot_size_check"),
    Index("openstack_snapshot_project_id_f6cdd827", "project_id"),
    Index("openstack_snapshot_service_settings_id_a1a80362", "service_settings_id"),
    Index("openstack_snapshot_snapshot_schedule_id_5faae575", "snapshot_schedule_id"),
    Index("openstack_snapshot_source_volume_id_eedb8962", "source_volume_id"),
    Index("openstack_snapshot_tenant_id_f54d8e00", "tenant_id"),
)
