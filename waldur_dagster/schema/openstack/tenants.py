"""Tenants of OpenStack, and what keeps their copies."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
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

tenant = Table(
    "openstack_tenant",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("name", String(150), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("runtime_state", String(150), nullable=False),
    Column("state", Integer, nullable=False),
    Column("backend_id", String(255)),
    Column("internal_network_id", String(64), nullable=False),
    Column("external_network_id", String(64), nullable=False),
    Column("availability_zone", String(100), nullable=False),
    Column("user_username", String(50), nullable=False),
    Column("user_password", String(50), nullable=False),
    Column("default_volume_type_name", String(100), nullable=False),
    Column("error_traceback", Text, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id",
            OnDelete.CASCADE,
            name="openstack_tenant_project_id_6fb30057_fk_structure_project_id",
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="openstack_tenant_service_settings_id_e589c982_fk_structure",
        ),
        nullable=False,
    ),
    Column("action", String(50), nullable=False),
    Column("action_details", Text, nullable=False),
    Column("task_id", String(155)),
    UniqueConstraint(
        "service_settings_id", "backend_id", name="openstack_tenant_service_settings_id_backend_id_a0add227_uniq"
    ),
    UniqueConstraint("uuid", name="openstack_tenant_uuid_key"),
    Index("openstack_tenant_project_id_6fb30057", "project_id"),
    Index("openstack_tenant_service_settings_id_e589c982", "service_settings_id"),
)

backup = Table(
    "openstack_backup",
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
    Column("kept_until", DateTime(timezone=True)),
    Column("metadata", Text, nullable=False),
    Column(
        "backup_schedule_id",
        Integer,
        references(
            "openstack_backupschedule.id",
            OnDelete.SET_NULL,
            name="openstack_backup_backup_schedule_id_2299325e_fk_openstack",
        ),
    ),
    Column(
        "instance_id",
        Integer,
        references(
            "openstack_instance.id",
            OnDelete.CASCADE,
            name="openstack_backup_instance_id_de5c8296_fk_openstack_instance_id",
        ),
        nullable=False,
    ),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id",
            OnDelete.CASCADE,
            name="openstack_backup_project_id_501e811a_fk_structure_project_id",
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="openstack_backup_service_settings_id_e6a70829_fk_structure",
        ),
        nullable=False,
    ),
    Column(
        "tenant_id",
        Integer,
        references(
            "openstack_tenant.id", OnDelete.CASCADE, name="openstack_backup_tenant_id_e32411ad_fk_openstack_tenant_id"
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="openstack_backup_uuid_key"),
    Index("openstack_backup_backup_schedule_id_2299325e", "backup_schedule_id"),
    Index("openstack_backup_instance_id_de5c8296", "instance_id"),
    Index("openstack_backup_project_id_501e811a", "project_id"),
    Index("openstack_backup_service_settings_id_e6a70829", "service_settings_id"),
    Index("openstack_backup_tenant_id_e32411ad", "tenant_id"),
)

backupschedule = Table(
    "openstack_backupschedule",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("name", String(150), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("error_traceback", Text, nullable=False),
    Column("schedule", String(15), nullable=False),
    Column("next_trigger_at", DateTime(timezone=True)),
    Column("timezone", String(50), nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("state", Integer, nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column("retention_time", Integer, nullable=False),
    Column("maximal_number_of_resources", SmallInteger, nullable=False),
    Column("call_count", SmallInteger, nullable=False),
    Column(
        "instance_id",
        Integer,
        references(
            "openstack_instance.id", OnDelete.CASCADE, name="openstack_backupsche_instance_id_065c8614_fk_openstack"
        ),
        nullable=False,
    ),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="openstack_backupsche_project_id_508e8118_fk_structure"
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="openstack_backupsche_service_settings_id_b67c04be_fk_structure",
        ),
        nullable=False,
    ),
    Column(
        "tenant_id",
        Integer,
        references(
            "openstack_tenant.id", OnDelete.CASCADE, name="openstack_backupsche_tenant_id_078195cc_fk_openstack"
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="openstack_backupschedule_uuid_key"),
    CheckConstraint("call_count >= 0", name="openstack_backupschedule_call_count_check"),
    CheckConstraint(
        "maximal_number_of_resources >= 0", name="openstack_backupschedule_maximal_number_of_resources_check"
    ),
    CheckConstraint("retention_time >= 0", name="openstack_backupschedule_retention_time_check"),
    Index("openstack_backupschedule_instance_id_065c8614", "instance_id"),
    Index("openstack_backupschedule_project_id_508e8118", "project_id"),
    Index("openstack_backupschedule_service_settings_id_b67c04be", "service_settings_id"),
    Index("openstack_backupschedule_tenant_id_078195cc", "tenant_id"),
)

snapshotschedule = Table(
    "openstack_snapshotschedule",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("name", String(150), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("error_traceback", Text, nullable=False),
    Column("schedule", String(15), nullable=False),
    Column("next_trigger_at", DateTime(timezone=True)),
    Column("timezone", String(50), nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("state", Integer, nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column("retention_time", Integer, nullable=False),
    Column("maximal_number_of_resources", SmallInteger, nullable=False),
    Column("call_count", SmallInteger, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="openstack_snapshotsc_project_id_9858ab35_fk_structure"
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="openstack_snapshotsc_service_settings_id_cfecb7a7_fk_structure",
        ),
        nullable=False,
    ),
    Column(
        "source_volume_id",
        Integer,
        references(
            "openstack_volume.id", OnDelete.CASCADE, name="openstack_snapshotsc_source_volume_id_442bc6cc_fk_openstack"
        ),
        nullable=False,
    ),
    Column(
        "tenant_id",
        Integer,
        references(
            "openstack_tenant.id", OnDelete.CASCADE, name="openstack_snapshotsc_tenant_id_cb1ac437_fk_openstack"
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="openstack_snapshotschedule_uuid_key"),
    CheckConstraint("call_count >= 0", name="openstack_snapshotschedule_call_count_check"),
    CheckConstraint(
        "maximal_number_of_resources >= 0", name="openstack_snapshotschedule_maximal_number_of_resources_check"
    ),
    CheckConstraint("retention_time >= 0", name="openstack_snapshotschedule_retention_time_check"),
    Index("openstack_snapshotschedule_project_id_9858ab35", "project_id"),
    Index("openstack_snapshotschedule_service_settings_id_cfecb7a7", "service_settings_id"),
    Index("openstack_snapshotschedule_source_volume_id_442bc6cc", "source_volume_id"),
    Index("openstack_snapshotschedule_tenant_id_cb1ac437", "tenant_id"),
)
