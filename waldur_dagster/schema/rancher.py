"""Rancher clusters and what runs in them."""

from sqlalchemy import Column, DateTime, Index, Integer, String, Table, Text, UniqueConstraint, Uuid
from sqlalchemy.dialects.postgresql import INET, JSONB

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

cluster = Table(
    "waldur_rancher_cluster",
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
    Column("node_command", String(1024), nullable=False),
    Column("runtime_state", String(255), nullable=False),
    Column(
        "settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="waldur_rancher_clust_settings_id_ee701d9f_fk_structure",
        ),
        nullable=False,
    ),
    Column("error_traceback", Text, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="waldur_rancher_clust_project_id_23f2d867_fk_structure"
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="waldur_rancher_clust_service_settings_id_71bfa752_fk_structure",
        ),
        nullable=False,
    ),
    Column(
        "management_security_group_id",
        Integer,
        references(
            "openstack_securitygroup.id",
            OnDelete.SET_NULL,
            name="waldur_rancher_clust_management_security__88b92e42_fk_openstack",
        ),
    ),
    Column(
        "tenant_id",
        Integer,
        references(
            "openstack_tenant.id", OnDelete.CASCADE, name="waldur_rancher_clust_tenant_id_88055e93_fk_openstack"
        ),
    ),
    UniqueConstraint("uuid", name="waldur_rancher_cluster_uuid_key"),
    Index("waldur_rancher_cluster_management_security_group_id_88b92e42", "management_security_group_id"),
    Index("waldur_rancher_cluster_project_id_23f2d867", "project_id"),
    Index("waldur_rancher_cluster_service_settings_id_71bfa752", "service_settings_id"),
    Index("waldur_rancher_cluster_settings_id_ee701d9f", "settings_id"),
    Index("waldur_rancher_cluster_tenant_id_88055e93", "tenant_id"),
)

application = Table(
    "waldur_rancher_application",
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
    Column("version", String(100), nullable=False),
    Column("answers", JSONB, nullable=False),
    Column(
        "cluster_id",
        Integer,
        references(
            "waldur_rancher_cluster.id", OnDelete.CASCADE, name="waldur_rancher_appli_cluster_id_6d3a1818_fk_waldur_ra"
        ),
        nullable=False,
    ),
    Column("namespace_id", Integer, nullable=False),
    Column("rancher_project_id", Integer, nullable=False),
    Column(
        "settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="waldur_rancher_appli_settings_id_bcf5c806_fk_structure",
        ),
        nullable=False,
    ),
    Column("template_id", Integer, nullable=False),
    Column("error_traceback", Text, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="waldur_rancher_appli_project_id_a8387216_fk_structure"
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="waldur_rancher_appli_service_settings_id_8e2fa0a5_fk_structure",
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="waldur_rancher_application_uuid_key"),
    Index("waldur_rancher_application_cluster_id_6d3a1818", "cluster_id"),
    Index("waldur_rancher_application_namespace_id_ae2924d0", "namespace_id"),
    Index("waldur_rancher_application_project_id_a8387216", "project_id"),
    Index("waldur_rancher_application_rancher_project_id_2596f9dc", "rancher_project_id"),
    Index("waldur_rancher_application_service_settings_id_8e2fa0a5", "service_settings_id"),
    Index("waldur_rancher_application_settings_id_bcf5c806", "settings_id"),
    Index("waldur_rancher_application_template_id_636322af", "template_id"),
)

ingress = Table(
    "waldur_rancher_ingress",
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
    Column("rules", JSONB, nullable=False),
    Column(
        "cluster_id",
        Integer,
        references(
            "waldur_rancher_cluster.id", OnDelete.CASCADE, name="waldur_rancher_ingre_cluster_id_8032bfa3_fk_waldur_ra"
        ),
        nullable=False,
    ),
    Column("namespace_id", Integer, nullable=False),
    Column("rancher_project_id", Integer, nullable=False),
    Column(
        "settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="waldur_rancher_ingre_settings_id_3c9417f7_fk_structure",
        ),
        nullable=False,
    ),
    Column("error_traceback", Text, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="waldur_rancher_ingre_project_id_a1f62e8d_fk_structure"
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="waldur_rancher_ingre_service_settings_id_42693562_fk_structure",
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="waldur_rancher_ingress_uuid_key"),
    Index("waldur_rancher_ingress_cluster_id_8032bfa3", "cluster_id"),
    Index("waldur_rancher_ingress_namespace_id_ef2a3235", "namespace_id"),
    Index("waldur_rancher_ingress_project_id_a1f62e8d", "project_id"),
    Index("waldur_rancher_ingress_rancher_project_id_385a323d", "rancher_project_id"),
    Index("waldur_rancher_ingress_service_settings_id_42693562", "service_settings_id"),
    Index("waldur_rancher_ingress_settings_id_3c9417f7", "settings_id"),
)

service = Table(
    "waldur_rancher_service",
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
    Column("cluster_ip", INET),
    Column("selector", JSONB),
    Column("namespace_id", Integer, nullable=False),
    Column(
        "settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="waldur_rancher_servi_settings_id_8cc80fee_fk_structure",
        ),
        nullable=False,
    ),
    Column("error_traceback", Text, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="waldur_rancher_servi_project_id_38afdce9_fk_structure"
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="waldur_rancher_servi_service_settings_id_70ac780a_fk_structure",
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="waldur_rancher_service_uuid_key"),
    Index("waldur_rancher_service_namespace_id_a38f30b9", "namespace_id"),
    Index("waldur_rancher_service_project_id_38afdce9", "project_id"),
    Index("waldur_rancher_service_service_settings_id_70ac780a", "service_settings_id"),
    Index("waldur_rancher_service_settings_id_8cc80fee", "settings_id"),
)
