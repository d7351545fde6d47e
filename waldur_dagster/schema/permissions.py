"""Roles, their permissions, and who has them where."""

from sqlalchemy import Boolean, CheckConstraint, Column, DateTime, Index, Integer, String, Table, UniqueConstraint, Uuid

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

role = Table(
    "permissions_role",
    metadata,
    identity(),
    Column("description", String(2000), nullable=False),
    Column("name", String(150), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("is_system_role", Boolean, nullable=False),
    Column("description_da", String(2000)),
    Column("description_de", String(2000)),
    Column("description_en", String(2000)),
    Column("description_es", String(2000)),
    Column("description_et", String(2000)),
    Column("description_fr", String(2000)),
    Column("description_it", String(2000)),
    Column("description_lt", String(2000)),
    Column("description_lv", String(2000)),
    Column("description_nb", String(2000)),
    Column("description_ru", String(2000)),
    Column("description_sv", String(2000)),
    Column(
        "content_type_id",
        Integer,
        references(
            "django_content_type.id", OnDelete.CASCADE, name="permissions_role_content_type_id_b650544b_fk_django_co"
        ),
        nullable=False,
    ),
    Column("is_active", Boolean, nullable=False),
    Column("description_ar", String(2000)),
    Column("description_cs", String(2000)),
    UniqueConstraint("name", name="permissions_role_name_99ca4283_uniq"),
    UniqueConstraint("uuid", name="permissions_role_uuid_key"),
    Index("permissions_role_content_type_id_b650544b", "content_type_id"),
    Index("permissions_role_name_99ca4283_like", "name", postgresql_ops={"name": "varchar_pattern_ops"}),
)

rolepermission = Table(
    "permissions_rolepermission",
    metadata,
    identity(),
    Column("permission", String(100), nullable=False),
    Column(
        "role_id",
        Integer,
        references("permissions_role.id", OnDelete.CASCADE, name="permissions_roleperm_role_id_22d0310d_fk_permissio"),
        nullable=False,
    ),
    UniqueConstraint("role_id", "permission", name="permissions_rolepermission_role_id_permission_d1bb008c_uniq"),
    Index("permissions_rolepermission_permission_532f18c4", "permission"),
    Index(
        "permissions_rolepermission_permission_532f18c4_like",
        "permission",
        postgresql_ops={"permission": "varchar_pattern_ops"},
    ),
    Index("permissions_rolepermission_role_id_22d0310d", "role_id"),
)

userrole = Table(
    "permissions_userrole",
    metadata,
    identity(),
    Column("uuid", Uuid, nullable=False),
    Column("object_id", Integer),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("expiration_time", DateTime(timezone=True)),
    Column("is_active", Boolean),
    Column(
        "content_type_id",
        Integer,
        references(
            "django_content_type.id",
            OnDelete.CASCADE,
            name="permissions_userrole_content_type_id_d143d582_fk_django_co",
        ),
    ),
    Column(
        "created_by_id",
        Integer,
        references(
            "core_user.id", OnDelete.CASCADE, name="permissions_userrole_created_by_id_555172ca_fk_core_user_id"
        ),
    ),
    Column(
        "role_id",
        Integer,
        references(
            "permissions_role.id", OnDelete.CASCADE, name="permissions_userrole_role_id_7928b088_fk_permissions_role_id"
        ),
        nullable=False,
    ),
    Column(
        "user_id",
        Integer,
        references("core_user.id", OnDelete.CASCADE, name="permissions_userrole_user_id_193dc7ca_fk_core_user_id"),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="permissions_userrole_uuid_key"),
    CheckConstraint("object_id >= 0", name="permissions_userrole_object_id_check"),
    Index("permissions_userrole_content_type_id_d143d582", "content_type_id"),
    Index("permissions_userrole_created_by_id_555172ca", "created_by_id"),
    Index("permissions_userrole_is_active_4645da80", "is_active"),
    Index("permissions_userrole_role_id_7928b088", "role_id"),
    Index("permissions_userrole_user_id_193dc7ca", "user_id"),
)
