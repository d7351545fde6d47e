"""Virtual machines of Azure, and the groups and accounts around them."""

from sqlalchemy import (
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

resourcegroup = Table(
    "waldur_azure_resourcegroup",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("runtime_state", String(150), nullable=False),
    Column("state", Integer, nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column("name", String(90), nullable=False),
    Column("location_id", Integer, nullable=False),
    Column("error_traceback", Text, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="waldur_azure_resourc_project_id_cdc2bd6d_fk_structure"
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="waldur_azure_resourc_service_settings_id_fa06c0be_fk_structure",
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="waldur_azure_resourcegroup_uuid_key"),
    Index("waldur_azure_resourcegroup_location_id_c7ac2d40", "location_id"),
    Index("waldur_azure_resourcegroup_project_id_cdc2bd6d", "project_id"),
    Index("waldur_azure_resourcegroup_service_settings_id_fa06c0be", "service_settings_id"),
)

storageaccount = Table(
    "waldur_azure_storageaccount",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("runtime_state", String(150), nullable=False),
    Column("state", Integer, nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column("name", String(24), nullable=False),
    Column(
        "resource_group_id",
        Integer,
        references(
            "waldur_azure_resourcegroup.id",
            OnDelete.CASCADE,
            name="waldur_azure_storage_resource_group_id_890c0e9b_fk_waldur_az",
        ),
        nullable=False,
    ),
    Column("error_traceback", Text, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="waldur_azure_storage_project_id_29c6a046_fk_structure"
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="waldur_azure_storage_service_settings_id_10c052ef_fk_structure",
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="waldur_azure_storageaccount_uuid_key"),
    Index("waldur_azure_storageaccount_project_id_29c6a046", "project_id"),
    Index("waldur_azure_storageaccount_resource_group_id_890c0e9b", "resource_group_id"),
    Index("waldur_azure_storageaccount_service_settings_id_10c052ef", "service_settings_id"),
)

virtualmachine = Table(
    "waldur_azure_virtualmachine",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("name", String(15), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("latitude", Double),
    Column("longitude", Double),
    Column("runtime_state", String(150), nullable=False),
    Column("state", Integer, nullable=False),
    Column("backend_id", String(255), nullable=False),
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
    Column("image_id", Integer, nullable=False),
    Column("password", String(72), nullable=False),
    Column(
        "ssh_key_id",
        Integer,
        references(
            "core_sshpublickey.id", OnDelete.CASCADE, name="waldur_azure_virtual_ssh_key_id_bf74e81f_fk_core_sshp"
        ),
    ),
    Column("username", String(32), nullable=False),
    Column(
        "network_interface_id",
        Integer,
        references(
            "waldur_azure_networkinterface.id",
            OnDelete.CASCADE,
            name="waldur_azure_virtual_network_interface_id_28cd1188_fk_waldur_az",
        ),
        nullable=False,
    ),
    Column(
        "resource_group_id",
        Integer,
        references(
            "waldur_azure_resourcegroup.id",
            OnDelete.CASCADE,
            name="waldur_azure_virtual_resource_group_id_b36ba74f_fk_waldur_az",
        ),
        nullable=False,
    ),
    Column("size_id", Integer, nullable=False),
    Column("error_traceback", Text, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="waldur_azure_virtual_project_id_fc98dac5_fk_structure"
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="waldur_azure_virtual_service_settings_id_aa63fc8c_fk_structure",
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="waldur_azure_virtualmachine_uuid_key"),
    CheckConstraint("cores >= 0", name="waldur_azure_virtualmachine_cores_check"),
    CheckConstraint("disk >= 0", name="waldur_azure_virtualmachine_disk_check"),
    CheckConstraint("min_disk >= 0", name="waldur_azure_virtualmachine_min_disk_check"),
    CheckConstraint("min_ram >= 0", name="waldur_azure_virtualmachine_min_ram_check"),
    CheckConstraint("ram >= 0", name="waldur_azure_virtualmachine_ram_check"),
    Index("waldur_azure_virtualmachine_image_id_6e9b6450", "image_id"),
    Index("waldur_azure_virtualmachine_network_interface_id_28cd1188", "network_interface_id"),
    Index("waldur_azure_virtualmachine_project_id_fc98dac5", "project_id"),
    Index("waldur_azure_virtualmachine_resource_group_id_b36ba74f", "resource_group_id"),
    Index("waldur_azure_virtualmachine_service_settings_id_aa63fc8c", "service_settings_id"),
    Index("waldur_azure_virtualmachine_size_id_936c71d5", "size_id"),
    Index("waldur_azure_virtualmachine_ssh_key_id_bf74e81f", "ssh_key_id"),
)
