"""Networks of Azure."""

from sqlalchemy import Column, DateTime, Index, Integer, String, Table, Text, UniqueConstraint, Uuid
from sqlalchemy.dialects.postgresql import INET

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

network = Table(
    "waldur_azure_network",
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
    Column("name", String(64), nullable=False),
    Column("cidr", String(32), nullable=False),
    Column(
        "resource_group_id",
        Integer,
        references(
            "waldur_azure_resourcegroup.id",
            OnDelete.CASCADE,
            name="waldur_azure_network_resource_group_id_534a36d7_fk_waldur_az",
        ),
        nullable=False,
    ),
    Column("error_traceback", Text, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="waldur_azure_network_project_id_4c31e002_fk_structure"
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="waldur_azure_network_service_settings_id_b4c4725c_fk_structure",
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="waldur_azure_network_uuid_key"),
    Index("waldur_azure_network_project_id_4c31e002", "project_id"),
    Index("waldur_azure_network_resource_group_id_534a36d7", "resource_group_id"),
    Index("waldur_azure_network_service_settings_id_b4c4725c", "service_settings_id"),
)

subnet = Table(
    "waldur_azure_subnet",
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
    Column("name", String(80), nullable=False),
    Column("cidr", String(32), nullable=False),
    Column(
        "network_id",
        Integer,
        references(
            "waldur_azure_network.id", OnDelete.CASCADE, name="waldur_azure_subnet_network_id_88d7f1ac_fk_waldur_az"
        ),
        nullable=False,
    ),
    Column(
        "resource_group_id",
        Integer,
        references(
            "waldur_azure_resourcegroup.id",
            OnDelete.CASCADE,
            name="waldur_azure_subnet_resource_group_id_c178ed28_fk_waldur_az",
        ),
        nullable=False,
    ),
    Column("error_traceback", Text, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id",
            OnDelete.CASCADE,
            name="waldur_azure_subnet_project_id_da9f7327_fk_structure_project_id",
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="waldur_azure_subnet_service_settings_id_d89b2964_fk_structure",
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="waldur_azure_subnet_uuid_key"),
    Index("waldur_azure_subnet_network_id_88d7f1ac", "network_id"),
    Index("waldur_azure_subnet_project_id_da9f7327", "project_id"),
    Index("waldur_azure_subnet_resource_group_id_c178ed28", "resource_group_id"),
    Index("waldur_azure_subnet_service_settings_id_d89b2964", "service_settings_id"),
)

securitygroup = Table(
    "waldur_azure_securitygroup",
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
    Column("name", String(80), nullable=False),
    Column(
        "resource_group_id",
        Integer,
        references(
            "waldur_azure_resourcegroup.id",
            OnDelete.CASCADE,
            name="waldur_azure_securit_resource_group_id_d316325c_fk_waldur_az",
        ),
        nullable=False,
    ),
    Column("error_traceback", Text, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="waldur_azure_securit_project_id_b23e8fb4_fk_structure"
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="waldur_azure_securit_service_settings_id_fc2a9aef_fk_structure",
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="waldur_azure_securitygroup_uuid_key"),
    Index("waldur_azure_securitygroup_project_id_b23e8fb4", "project_id"),
    Index("waldur_azure_securitygroup_resource_group_id_d316325c", "resource_group_id"),
    Index("waldur_azure_securitygroup_service_settings_id_fc2a9aef", "service_settings_id"),
)

networkinterface = Table(
    "waldur_azure_networkinterface",
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
    Column("name", String(80), nullable=False),
    Column("config_name", String(255), nullable=False),
    Column(
        "resource_group_id",
        Integer,
        references(
            "waldur_azure_resourcegroup.id",
            OnDelete.CASCADE,
            name="waldur_azure_network_resource_group_id_d4aef2cb_fk_waldur_az",
        ),
        nullable=False,
    ),
    Column(
        "subnet_id",
        Integer,
        references(
            "waldur_azure_subnet.id", OnDelete.CASCADE, name="waldur_azure_network_subnet_id_86ee4bf6_fk_waldur_az"
        ),
        nullable=False,
    ),
    Column(
        "public_ip_id",
        Integer,
        references(
            "waldur_azure_publicip.id",
            OnDelete.SET_NULL,
            name="waldur_azure_network_public_ip_id_820ec348_fk_waldur_az",
        ),
    ),
    Column(
        "security_group_id",
        Integer,
        references(
            "waldur_azure_securitygroup.id",
            OnDelete.SET_NULL,
            name="waldur_azure_network_security_group_id_35717a17_fk_waldur_az",
        ),
    ),
    Column("ip_address", INET),
    Column("error_traceback", Text, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="waldur_azure_network_project_id_aec08219_fk_structure"
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="waldur_azure_network_service_settings_id_6a7d4e46_fk_structure",
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="waldur_azure_networkinterface_uuid_key"),
    Index("waldur_azure_networkinterface_project_id_aec08219", "project_id"),
    Index("waldur_azure_networkinterface_public_ip_id_820ec348", "public_ip_id"),
    Index("waldur_azure_networkinterface_resource_group_id_d4aef2cb", "resource_group_id"),
    Index("waldur_azure_networkinterface_security_group_id_35717a17", "security_group_id"),
    Index("waldur_azure_networkinterface_service_settings_id_6a7d4e46", "service_settings_id"),
    Index("waldur_azure_networkinterface_subnet_id_86ee4bf6", "subnet_id"),
)

publicip = Table(
    "waldur_azure_publicip",
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
    Column("name", String(80), nullable=False),
    Column("location_id", Integer, nullable=False),
    Column(
        "resource_group_id",
        Integer,
        references(
            "waldur_azure_resourcegroup.id",
            OnDelete.CASCADE,
            name="waldur_azure_publici_resource_group_id_5d016b0c_fk_waldur_az",
        ),
        nullable=False,
    ),
    Column("ip_address", INET),
    Column("error_traceback", Text, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="waldur_azure_publici_project_id_f449e737_fk_structure"
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="waldur_azure_publici_service_settings_id_22805180_fk_structure",
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="waldur_azure_publicip_uuid_key"),
    Index("waldur_azure_publicip_location_id_fb9bb85c", "location_id"),
    Index("waldur_azure_publicip_project_id_f449e737", "project_id"),
    Index("waldur_azure_publicip_resource_group_id_5d016b0c", "resource_group_id"),
    Index("waldur_azure_publicip_service_settings_id_22805180", "service_settings_id"),
)
