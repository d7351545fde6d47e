"""Invitations to roles, single and for groups, and requests for them."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

invitation = Table(
    "users_invitation",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Column("email", String(254), nullable=False),
    Column("civil_number", String(50), nullable=False),
    Column(
        "created_by_id",
        Integer,
        references("core_user.id", OnDelete.CASCADE, name="users_invitation_created_by_id_30a49e85_fk_core_user_id"),
    ),
    Column(
        "customer_id",
        Integer,
        references(
            "structure_customer.id",
            OnDelete.CASCADE,
            name="users_invitation_customer_id_7bcf3e6b_fk_structure_customer_id",
        ),
        nullable=False,
    ),
    Column(
        "approved_by_id",
        Integer,
        references("core_user.id", OnDelete.CASCADE, name="users_invitation_approved_by_id_ab0651f6_fk_core_user_id"),
    ),
    Column("full_name", String(100), nullable=False),
    Column("job_title", String(120), nullable=False),
    Column("native_name", String(100), nullable=False),
    Column("organization", String(255), nullable=False),
    Column("phone_number", String(255), nullable=False),
    Column("tax_number", String(50), nullable=False),
    Column("error_traceback", Text, nullable=False),
    Column("affiliations", JSONB, nullable=False),
    Column("extra_invitation_text", Text, nullable=False),
    Column(
        "content_type_id",
        Integer,
        references(
            "django_content_type.id", OnDelete.CASCADE, name="users_invitation_content_type_id_a7db8c39_fk_django_co"
        ),
    ),
    Column("object_id", Integer),
    Column(
        "role_id",
        Integer,
        references(
            "permissions_role.id", OnDelete.CASCADE, name="users_invitation_role_id_1547a181_fk_permissions_role_id"
        ),
        nullable=False,
    ),
    Column("execution_state", String(50), nullable=False),
    UniqueConstraint("uuid", name="users_invitation_uuid_key"),
    CheckConstraint("object_id >= 0", name="users_invitation_object_id_check"),
    Index("users_invitation_approved_by_id_ab0651f6", "approved_by_id"),
    Index("users_invitation_content_type_id_a7db8c39", "content_type_id"),
    Index("users_invitation_created_by_id_30a49e85", "created_by_id"),
    Index("users_invitation_customer_id_7bcf3e6b", "customer_id"),
    Index("users_invitation_role_id_1547a181", "role_id"),
)

groupinvitation = Table(
    "users_groupinvitation",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column(
        "created_by_id",
        Integer,
        references(
            "core_user.id", OnDelete.CASCADE, name="users_groupinvitation_created_by_id_5a148234_fk_core_user_id"
        ),
    ),
    Column(
        "customer_id",
        Integer,
        references(
            "structure_customer.id", OnDelete.CASCADE, name="users_groupinvitatio_customer_id_f6cc901e_fk_structure"
        ),
        nullable=False,
    ),
    Column(
        "content_type_id",
        Integer,
        references(
            "django_content_type.id",
            OnDelete.CASCADE,
            name="users_groupinvitatio_content_type_id_5486759f_fk_django_co",
        ),
    ),
    Column("object_id", Integer),
    Column(
        "role_id",
        Integer,
        references(
            "permissions_role.id",
            OnDelete.CASCADE,
            name="users_groupinvitation_role_id_0c98ab69_fk_permissions_role_id",
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="users_groupinvitation_uuid_key"),
    CheckConstraint("object_id >= 0", name="users_groupinvitation_object_id_check"),
    Index("users_groupinvitation_content_type_id_5486759f", "content_type_id"),
    Index("users_groupinvitation_created_by_id_5a148234", "created_by_id"),
    Index("users_groupinvitation_customer_id_f6cc901e", "customer_id"),
    Index("users_groupinvitation_role_id_0c98ab69", "role_id"),
)

permissionrequest = Table(
    "users_permissionrequest",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("state", Integer, nullable=False),
    Column("reviewed_at", DateTime(timezone=True)),
    Column("review_comment", Text),
    Column(
        "created_by_id",
        Integer,
        references(
            "core_user.id", OnDelete.PROTECT, name="users_permissionrequest_created_by_id_20734e01_fk_core_user_id"
        ),
        nullable=False,
    ),
    Column(
        "invitation_id",
        Integer,
        references(
            "users_groupinvitation.id",
            OnDelete.PROTECT,
            name="users_permissionrequ_invitation_id_d97fff25_fk_users_gro",
        ),
        nullable=False,
    ),
    Column(
        "reviewed_by_id",
        Integer,
        references(
            "core_user.id", OnDelete.CASCADE, name="users_permissionrequest_reviewed_by_id_50ca0e9a_fk_core_user_id"
        ),
    ),
    UniqueConstraint("uuid", name="users_permissionrequest_uuid_key"),
    Index("users_permissionrequest_created_by_id_20734e01", "created_by_id"),
    Index("users_permissionrequest_invitation_id_d97fff25", "invitation_id"),
    Index("users_permissionrequest_reviewed_by_id_50ca0e9a", "reviewed_by_id"),
)
