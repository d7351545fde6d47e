"""Networks of tenants."""

from sqlalchemy import (
    Boolean,
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
from sqlalchemy.dialects.postgresql import INET

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

network = Table(
    "openstack_network",
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
    Column("backend_id", String(255), nullable=False),
    Column("is_external", Boolean, nullable=False),
    Column("type", String(50), nullable=False),
    Column("segmentation_id", Integer),
    Column(
        "tenant_id",
        Integer,
        references(
            "openstack_tenant.id", OnDelete.CASCADE, name="openstack_network_tenant_id_5417a221_fk_openstack_tenant_id"
        ),
        nullable=False,
    ),
    Column("mtu", Integer),
    Column("error_traceback", Text, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id",
            OnDelete.CASCADE,
            name="openstack_network_project_id_2f02877f_fk_structure_project_id",
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="openstack_network_service_settings_id_6b49d82b_fk_structure",
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="openstack_network_uuid_key"),
    Index("openstack_network_project_id_2f02877f", "project_id"),
    Index("openstack_network_service_settings_id_6b49d82b", "service_settings_id"),
    Index("openstack_network_tenant_id_5417a221", "tenant_id"),
)

subnet = Table(
    "openstack_subnet",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("name", String(150), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("state", Integer, nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column("cidr", String(32), nullable=False),
    Column("gateway_ip", INET),
    Column("allocation_pools", Text, nullable=False),
    Column("ip_version", SmallInteger, nullable=False),
    Column("enable_dhcp", Boolean, nullable=False),
    Column(
        "network_id",
        Integer,
        references(
            "openstack_network.id",
            OnDelete.CASCADE,
            name="openstack_subnet_network_id_c6987ffa_fk_openstack_network_id",
        ),
        nullable=False,
    ),
    Column("dns_nameservers", Text, nullable=False),
    Column("disable_gateway", Boolean, nullable=False),
    Column("error_traceback", Text, nullable=False),
    Column("host_routes", Text, nullable=False),
    Column("is_connected", Boolean, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id",
            OnDelete.CASCADE,
            name="openstack_subnet_project_id_3f871b82_fk_structure_project_id",
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="openstack_subnet_service_settings_id_2b223465_fk_structure",
        ),
        nullable=False,
    ),
    Column(
        "tenant_id",
        Integer,
        references(
            "openstack_tenant.id", OnDelete.CASCADE, name="openstack_subnet_tenant_id_9d58993f_fk_openstack_tenant_id"
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="openstack_subnet_uuid_key"),
    Index("openstack_subnet_network_id_c6987ffa", "network_id"),
    Index("openstack_subnet_project_id_3f871b82", "project_id"),
    Index("openstack_subnet_service_settings_id_2b223465", "service_settings_id"),
    Index("openstack_subnet_tenant_id_9d58993f", "tenant_id"),
)

port = Table(
    "openstack_port",
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
    Column("mac_address", String(32), nullable=False),
    Column("allowed_address_pairs", Text, nullable=False),
    Column(
        "network_id",
        Integer,
        references(
            "openstack_network.id", OnDelete.CASCADE, name="openstack_port_network_id_60a2d19f_fk_openstack_network_id"
        ),
    ),
    Column(
        "tenant_id",
        Integer,
        references(
            "openstack_tenant.id", OnDelete.CASCADE, name="openstack_port_tenant_id_d71b34d8_fk_openstack_tenant_id"
        ),
        nullable=False,
    ),
    Column("fixed_ips", Text, nullable=False),
    Column("device_id", String(255)),
    Column("device_owner", String(100)),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="openstack_port_project_id_e50817f3_fk_structure_project_id"
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="openstack_port_service_settings_id_99800ea0_fk_structure",
        ),
        nullable=False,
    ),
    Column("port_security_enabled", Boolean, nullable=False),
    Column(
        "instance_id",
        Integer,
        references(
            "openstack_instance.id",
            OnDelete.CASCADE,
            name="openstack_port_instance_id_f4aa9615_fk_openstack_instance_id",
        ),
    ),
    Column(
        "subnet_id",
        Integer,
        references(
            "openstack_subnet.id", OnDelete.CASCADE, name="openstack_port_subnet_id_fe49abdf_fk_openstack_subnet_id"
        ),
    ),
    UniqueConstraint("uuid", name="openstack_port_uuid_key"),
    Index("openstack_port_instance_id_f4aa9615", "instance_id"),
    Index("openstack_port_network_id_60a2d19f", "network_id"),
    Index("openstack_port_project_id_e50817f3", "project_id"),
    Index("openstack_port_service_settings_id_99800ea0", "service_settings_id"),
    Index("openstack_port_subnet_id_fe49abdf", "subnet_id"),
    Index("openstack_port_tenant_id_d71b34d8", "tenant_id"),
)

router = Table(
    "openstack_router",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("name", String(150), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column(
        "tenant_id",
        Integer,
        references(
            "openstack_tenant.id", OnDelete.CASCADE, name="openstack_router_tenant_id_6dc62fdc_fk_openstack_tenant_id"
        ),
        nullable=False,
    ),
    Column("error_message", Text, nullable=False),
    Column("error_traceback", Text, nullable=False),
    Column("routes", Text, nullable=False),
    Column("state", Integer, nullable=False),
    Column("fixed_ips", Text, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id",
            OnDelete.CASCADE,
            name="openstack_router_project_id_2f7141ae_fk_structure_project_id",
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="openstack_router_service_settings_id_cb577c3a_fk_structure",
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="openstack_router_uuid_key"),
    Index("openstack_router_project_id_2f7141ae", "project_id"),
    Index("openstack_router_service_settings_id_cb577c3a", "service_settings_id"),
    Index("openstack_router_tenant_id_6dc62fdc", "tenant_id"),
)

floatingip = Table(
    "openstack_floatingip",
    metadata,
    identity(),
    Column("uuid", Uuid, nullable=False),
    Column("address", INET),
    Column("backend_id", String(255), nullable=False),
    Column("backend_network_id", String(255), nullable=False),
    Column(
        "tenant_id",
        Integer,
        references(
            "openstack_tenant.id",
            OnDelete.CASCADE,
            name="openstack_floatingip_tenant_id_cdfc4481_fk_openstack_tenant_id",
        ),
        nullable=False,
    ),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("error_message", Text, nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("name", String(150), nullable=False),
    Column("runtime_state", String(150), nullable=False),
    Column("state", Integer, nullable=False),
    Column("error_traceback", Text, nullable=False),
    Column(
        "port_id",
        Integer,
        references(
            "openstack_port.id", OnDelete.SET_NULL, name="openstack_floatingip_port_id_5d4a2470_fk_openstack_port_id"
        ),
    ),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="openstack_floatingip_project_id_af691d17_fk_structure"
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="openstack_floatingip_service_settings_id_79e4bd8f_fk_structure",
        ),
        nullable=False,
    ),
    UniqueConstraint("tenant_id", "address", name="openstack_floatingip_tenant_id_address_7807ab76_uniq"),
    UniqueConstraint("uuid", name="openstack_floatingip_uuid_key"),
    Index("openstack_floatingip_port_id_5d4a2470", "port_id"),
    Index("openstack_floatingip_project_id_af691d17", "project_id"),
    Index("openstack_floatingip_service_settings_id_79e4bd8f", "service_settings_id"),
    Index("openstack_floatingip_tenant_id_cdfc4481", "tenant_id"),
)

securitygroup = Table(
    "openstack_securitygroup",
    metadata,
    identity(),
    Column("description", String(2000), nullable=False),
    Column("name", String(150), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("state", Integer, nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column(
        "tenant_id",
        Integer,
        references(
            "openstack_tenant.id", OnDelete.CASCADE, name="openstack_securitygr_tenant_id_bbbb79c6_fk_openstack"
        ),
        nullable=False,
    ),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("error_traceback", Text, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="openstack_securitygr_project_id_5189b745_fk_structure"
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="openstack_securitygr_service_settings_id_2a69f845_fk_structure",
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="openstack_securitygroup_uuid_key"),
    Index("openstack_securitygroup_project_id_5189b745", "project_id"),
    Index("openstack_securitygroup_service_settings_id_2a69f845", "service_settings_id"),
    Index("openstack_securitygroup_tenant_id_bbbb79c6", "tenant_id"),
)
