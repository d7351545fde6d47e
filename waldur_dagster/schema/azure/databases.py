"""SQL servers of Azure and their databases."""

from sqlalchemy import CheckConstraint, Column, DateTime, Index, Integer, String, Table, Text, UniqueConstraint, Uuid

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

sqlserver = Table(
    "waldur_azure_sqlserver",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("name", String(80), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("runtime_state", String(150), nullable=False),
    Column("state", Integer, nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column("username", String(50), nullable=False),
    Column("password", String(128), nullable=False),
    Column("storage_mb", Integer),
    Column(
        "resource_group_id",
        Integer,
        references(
            "waldur_azure_resourcegroup.id",
            OnDelete.CASCADE,
            name="waldur_azure_sqlserv_resource_group_id_f6e70ea1_fk_waldur_az",
        ),
        nullable=False,
    ),
    Column("fqdn", Text),
    Column("error_traceback", Text, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="waldur_azure_sqlserv_project_id_7c9a9239_fk_structure"
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="waldur_azure_sqlserv_service_settings_id_d6048d44_fk_structure",
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="waldur_azure_sqlserver_uuid_key"),
    CheckConstraint("storage_mb >= 0", name="waldur_azure_sqlserver_storage_mb_check"),
    Index("waldur_azure_sqlserver_project_id_7c9a9239", "project_id"),
    Index("waldur_azure_sqlserver_resource_group_id_f6e70ea1", "resource_group_id"),
    Index("waldur_azure_sqlserver_service_settings_id_d6048d44", "service_settings_id"),
)

sqldatabase = Table(
    "waldur_azure_sqldatabase",
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
    Column("charset", String(255)),
    Column("collation", String(255), quote=True),
    Column(
        "server_id",
        Integer,
        references(
            "waldur_azure_sqlserver.id", OnDelete.CASCADE, name="waldur_azure_sqldata_server_id_36c6c23f_fk_waldur_az"
        ),
        nullable=False,
    ),
    Column("error_traceback", Text, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="waldur_azure_sqldata_project_id_ccde5be3_fk_structure"
        ),
        nullable=False,
    ),
    Column(
        "service_settings_id",
        Integer,
        references(
            "structure_servicesettings.id",
            OnDelete.CASCADE,
            name="waldur_azure_sqldata_service_settings_id_bdb7f9ee_fk_structure",
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="waldur_azure_sqldatabase_uuid_key"),
    Index("waldur_azure_sqldatabase_project_id_ccde5be3", "project_id"),
    Index("waldur_azure_sqldatabase_server_id_36c6c23f", "server_id"),
    Index("waldur_azure_sqldatabase_service_settings_id_bdb7f9ee", "service_settings_id"),
)
