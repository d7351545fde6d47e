"""What was bought: resources, the orders that make, change and end them, and their robot accounts."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

resource = Table(
    "marketplace_resource",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("name", String(150), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("object_id", Integer),
    Column("cost", Numeric(22, 10)),
    Column("limits", JSONB, nullable=False),
    Column("state", Integer, nullable=False),
    Column("attributes", JSONB, nullable=False),
    Column("backend_metadata", JSONB, nullable=False),
    Column("current_usages", JSONB, nullable=False),
    Column(
        "content_type_id",
        Integer,
        references(
            "django_content_type.id",
            OnDelete.CASCADE,
            name="marketplace_resource_content_type_id_edfe25c3_fk_django_co",
        ),
    ),
    Column(
        "offering_id",
        Integer,
        references(
            "marketplace_offering.id", OnDelete.CASCADE, name="marketplace_resource_offering_id_18676967_fk_marketpla"
        ),
        nullable=False,
    ),
    Column(
        "plan_id",
        Integer,
        references(
            "marketplace_plan.id", OnDelete.CASCADE, name="marketplace_resource_plan_id_151c0ae4_fk_marketplace_plan_id"
        ),
    ),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="marketplace_resource_project_id_a6a957ed_fk_structure"
        ),
        nullable=False,
    ),
    Column("backend_id", String(255), nullable=False),
    Column("report", JSONB),
    Column("description", String(2000), nullable=False),
    Column("end_date", Date),
    Column("effective_id", String(255), nullable=False),
    Column(
        "parent_id",
        Integer,
        references(
            "marketplace_resource.id", OnDelete.SET_NULL, name="marketplace_resource_parent_id_f5a480e3_fk_marketpla"
        ),
    ),
    Column(
        "end_date_requested_by_id",
        Integer,
        references(
            "core_user.id", OnDelete.SET_NULL, name="marketplace_resource_end_date_requested_b_67cf5264_fk_core_user"
        ),
    ),
    Column("downscaled", Boolean, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("error_traceback", Text, nullable=False),
    Column("options", JSONB),
    Column("slug", String(50), nullable=False),
    Column("restrict_member_access", Boolean, nullable=False),
    Column("paused", Boolean, nullable=False),
    UniqueConstraint(
        "content_type_id", "object_id", name="marketplace_resource_content_type_id_object_id_4846cb1a_uniq"
    ),
    UniqueConstraint("uuid", name="marketplace_resource_uuid_key"),
    CheckConstraint("object_id >= 0", name="marketplace_resource_object_id_check"),
    Index("marketplace_resource_content_type_id_edfe25c3", "content_type_id"),
    Index("marketplace_resource_end_date_requested_by_id_67cf5264", "end_date_requested_by_id"),
    Index("marketplace_resource_offering_id_18676967", "offering_id"),
    Index("marketplace_resource_parent_id_f5a480e3", "parent_id"),
    Index("marketplace_resource_plan_id_151c0ae4", "plan_id"),
    Index("marketplace_resource_project_id_a6a957ed", "project_id"),
    Index("marketplace_resource_slug_89a15162", "slug"),
    Index("marketplace_resource_slug_89a15162_like", "slug", postgresql_ops={"slug": "varchar_pattern_ops"}),
)

order = Table(
    "marketplace_order",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("cost", Numeric(22, 10)),
    Column("limits", JSONB, nullable=False),
    Column("type", SmallInteger, nullable=False),
    Column("attributes", JSONB, nullable=False),
    Column("state", Integer, nullable=False),
    Column("activated", DateTime(timezone=True)),
    Column(
        "offering_id",
        Integer,
        references(
            "marketplace_offering.id", OnDelete.CASCADE, name="marketplace_orderite_offering_id_9ed58e05_fk_marketpla"
        ),
        nullable=False,
    ),
    Column(
        "old_plan_id",
        Integer,
        references(
            "marketplace_plan.id", OnDelete.CASCADE, name="marketplace_orderite_old_plan_id_9e48f1a9_fk_marketpla"
        ),
    ),
    Column(
        "plan_id",
        Integer,
        references(
            "marketplace_plan.id",
            OnDelete.CASCADE,
            name="marketplace_orderitem_plan_id_2fc5dfa7_fk_marketplace_plan_id",
        ),
    ),
    Column(
        "resource_id",
        Integer,
        references(
            "marketplace_resource.id", OnDelete.CASCADE, name="marketplace_order_resource_id_880fed5d_fk_marketpla"
        ),
        nullable=False,
    ),
    Column("output", Text, nullable=False),
    Column("error_traceback", Text, nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column("provider_reviewed_at", DateTime(timezone=True)),
    Column(
        "provider_reviewed_by_id",
        Integer,
        references(
            "core_user.id", OnDelete.CASCADE, name="marketplace_order_provider_reviewed_by_9b5337e4_fk_core_user"
        ),
    ),
    Column("callback_url", String(200)),
    Column("termination_comment", String(255)),
    Column("consumer_reviewed_at", DateTime(timezone=True)),
    Column(
        "consumer_reviewed_by_id",
        Integer,
        references(
            "core_user.id", OnDelete.CASCADE, name="marketplace_order_consumer_reviewed_by_75c4aa02_fk_core_user"
        ),
    ),
    Column(
        "created_by_id",
        Integer,
        references(
            "core_user.id", OnDelete.CASCADE, name="marketplace_orderitem_created_by_id_85d113d2_fk_core_user_id"
        ),
        nullable=False,
    ),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="marketplace_orderite_project_id_8089f060_fk_structure"
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="marketplace_orderitem_uuid_key"),
    CheckConstraint("type >= 0", name="marketplace_orderitem_type_check"),
    Index("marketplace_orderitem_approved_by_id_e1b46121", "consumer_reviewed_by_id"),
    Index("marketplace_orderitem_created_by_id_85d113d2", "created_by_id"),
    Index("marketplace_orderitem_offering_id_9ed58e05", "offering_id"),
    Index("marketplace_orderitem_old_plan_id_9e48f1a9", "old_plan_id"),
    Index("marketplace_orderitem_plan_id_2fc5dfa7", "plan_id"),
    Index("marketplace_orderitem_project_id_8089f060", "project_id"),
    Index("marketplace_orderitem_resource_id_76fa6f72", "resource_id"),
    Index("marketplace_orderitem_reviewed_by_id_9041335f", "provider_reviewed_by_id"),
)

resourceaccessendpoint = Table(
    "marketplace_resourceaccessendpoint",
    metadata,
    identity(),
    Column("name", String(150), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("url", String(200), nullable=False),
    Column(
        "resource_id",
        Integer,
        references(
            "marketplace_resource.id", OnDelete.CASCADE, name="marketplace_resource_resource_id_31ef917d_fk_marketpla"
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="marketplace_resourceaccessendpoint_uuid_key"),
    Index("marketplace_resourceaccessendpoint_resource_id_31ef917d", "resource_id"),
)

resourceplanperiod = Table(
    "marketplace_resourceplanperiod",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("start", DateTime(timezone=True)),
    Column("end", DateTime(timezone=True)),
    Column("uuid", Uuid, nullable=False),
    Column(
        "plan_id",
        Integer,
        references("marketplace_plan.id", OnDelete.CASCADE, name="marketplace_resource_plan_id_20950404_fk_marketpla"),
        nullable=False,
    ),
    Column(
        "resource_id",
        Integer,
        references(
            "marketplace_resource.id", OnDelete.CASCADE, name="marketplace_resource_resource_id_9bedd9a4_fk_marketpla"
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="marketplace_resourceplanperiod_uuid_key"),
    Index("marketplace_resourceplanperiod_plan_id_20950404", "plan_id"),
    Index("marketplace_resourceplanperiod_resource_id_9bedd9a4", "resource_id"),
)

resourceuser = Table(
    "marketplace_resourceuser",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column(
        "resource_id",
        Integer,
        references(
            "marketplace_resource.id", OnDelete.CASCADE, name="marketplace_resource_resource_id_2425b80f_fk_marketpla"
        ),
        nullable=False,
    ),
    Column("role_id", Integer, nullable=False),
    Column(
        "user_id",
        Integer,
        references("core_user.id", OnDelete.CASCADE, name="marketplace_resourceuser_user_id_12900df3_fk_core_user_id"),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="marketplace_resourceuser_uuid_key"),
    Index("marketplace_resourceuser_resource_id_2425b80f", "resource_id"),
    Index("marketplace_resourceuser_role_id_6d84f062", "role_id"),
    Index("marketplace_resourceuser_user_id_12900df3", "user_id"),
)

robotaccount = Table(
    "marketplace_robotaccount",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("type", String(5), nullable=False),
    Column("username", String(32), nullable=False),
    Column("keys", JSONB, nullable=False),
    Column(
        "resource_id",
        Integer,
        references(
            "marketplace_resource.id", OnDelete.CASCADE, name="marketplace_robotacc_resource_id_3f2deb71_fk_marketpla"
        ),
        nullable=False,
    ),
    Column("backend_metadata", JSONB, nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column(
        "responsible_user_id",
        Integer,
        references(
            "core_user.id", OnDelete.SET_NULL, name="marketplace_robotacc_responsible_user_id_27bc1ccd_fk_core_user"
        ),
    ),
    UniqueConstraint("resource_id", "type", name="marketplace_robotaccount_resource_id_type_bcd54829_uniq"),
    UniqueConstraint("uuid", name="marketplace_robotaccount_uuid_key"),
    Index("marketplace_robotaccount_resource_id_3f2deb71", "resource_id"),
    Index("marketplace_robotaccount_responsible_user_id_27bc1ccd", "responsible_user_id"),
)

robotaccount_users = Table(
    "marketplace_robotaccount_users",
    metadata,
    identity(),
    Column(
        "robotaccount_id",
        Integer,
        references(
            "marketplace_robotaccount.id",
            OnDelete.CASCADE,
            name="marketplace_robotacc_robotaccount_id_b11a49ee_fk_marketpla",
        ),
        nullable=False,
    ),
    Column(
        "user_id",
        Integer,
        references(
            "core_user.id", OnDelete.CASCADE, name="marketplace_robotaccount_users_user_id_53f8f0ea_fk_core_user_id"
        ),
        nullable=False,
    ),
    UniqueConstraint(
        "robotaccount_id", "user_id", name="marketplace_robotaccount_robotaccount_id_user_id_b1d7e408_uniq"
    ),
    Index("marketplace_robotaccount_users_robotaccount_id_b11a49ee", "robotaccount_id"),
    Index("marketplace_robotaccount_users_user_id_53f8f0ea", "user_id"),
)
