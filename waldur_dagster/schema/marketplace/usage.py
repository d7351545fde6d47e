"""What was used, and the sums by category."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    Numeric,
    String,
    Table,
    UniqueConstraint,
    Uuid,
    text,
)

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

categorycomponentusage = Table(
    "marketplace_categorycomponentusage",
    metadata,
    identity(),
    Column("object_id", Integer),
    Column("date", Date, nullable=False),
    Column("reported_usage", BigInteger),
    Column("fixed_usage", BigInteger),
    Column(
        "component_id",
        Integer,
        references(
            "marketplace_categorycomponent.id",
            OnDelete.CASCADE,
            name="marketplace_category_component_id_514dd4b0_fk_marketpla",
        ),
        nullable=False,
    ),
    Column(
        "content_type_id",
        Integer,
        references(
            "django_content_type.id",
            OnDelete.CASCADE,
            name="marketplace_category_content_type_id_111f8ef4_fk_django_co",
        ),
    ),
    CheckConstraint("object_id >= 0", name="marketplace_categorycomponentusage_object_id_check"),
    Index("marketplace_categorycomponentusage_component_id_514dd4b0", "component_id"),
    Index("marketplace_categorycomponentusage_content_type_id_111f8ef4", "content_type_id"),
)

componentquota = Table(
    "marketplace_componentquota",
    metadata,
    identity(),
    Column("limit", Numeric(20, 2), nullable=False),
    Column("usage", Numeric(20, 2), nullable=False),
    Column(
        "component_id",
        Integer,
        references(
            "marketplace_offeringcomponent.id",
            OnDelete.CASCADE,
            name="marketplace_componen_component_id_432507f3_fk_marketpla",
        ),
        nullable=False,
    ),
    Column(
        "resource_id",
        Integer,
        references(
            "marketplace_resource.id", OnDelete.CASCADE, name="marketplace_componen_resource_id_90c476c3_fk_marketpla"
        ),
        nullable=False,
    ),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    UniqueConstraint(
        "resource_id", "component_id", name="marketplace_componentquo_resource_id_component_id_a776984d_uniq"
    ),
    Index("marketplace_componentquota_component_id_432507f3", "component_id"),
    Index("marketplace_componentquota_resource_id_90c476c3", "resource_id"),
)

componentusage = Table(
    "marketplace_componentusage",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("usage", Numeric(20, 2), nullable=False),
    Column("date", DateTime(timezone=True), nullable=False),
    Column("billing_period", Date, nullable=False),
    Column(
        "component_id",
        Integer,
        references(
            "marketplace_offeringcomponent.id",
            OnDelete.CASCADE,
            name="marketplace_componen_component_id_18208ab5_fk_marketpla",
        ),
        nullable=False,
    ),
    Column(
        "plan_period_id",
        Integer,
        references(
            "marketplace_resourceplanperiod.id",
            OnDelete.CASCADE,
            name="marketplace_componen_plan_period_id_16b174e3_fk_marketpla",
        ),
    ),
    Column(
        "resource_id",
        Integer,
        references(
            "marketplace_resource.id", OnDelete.CASCADE, name="marketplace_componen_resource_id_6ecb1e43_fk_marketpla"
        ),
        nullable=False,
    ),
    Column("recurring", Boolean, nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column(
        "modified_by_id",
        Integer,
        references("core_user.id", OnDelete.SET_NULL, name="marketplace_componen_modified_by_id_19824567_fk_core_user"),
    ),
    UniqueConstraint("uuid", name="marketplace_componentusage_uuid_key"),
    UniqueConstraint("resource_id", "component_id", "plan_period_id", "billing_period", name="unique_with_optional"),
    Index("marketplace_componentusage_component_id_18208ab5", "component_id"),
    Index("marketplace_componentusage_modified_by_id_19824567", "modified_by_id"),
    Index("marketplace_componentusage_plan_period_id_16b174e3", "plan_period_id"),
    Index("marketplace_componentusage_resource_id_6ecb1e43", "resource_id"),
    Index(
        "unique_without_optional",
        "resource_id",
        "component_id",
        "billing_period",
        unique=True,
        postgresql_where=text("plan_period_id IS NULL"),
    ),
)

componentuserusage = Table(
    "marketplace_componentuserusage",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column("username", String(100), nullable=False),
    Column("usage", Numeric(20, 2), nullable=False),
    Column(
        "component_usage_id",
        Integer,
        references(
            "marketplace_componentusage.id",
            OnDelete.CASCADE,
            name="marketplace_componen_component_usage_id_006fa0d3_fk_marketpla",
        ),
        nullable=False,
    ),
    Column(
        "user_id",
        Integer,
        references(
            "marketplace_offeringuser.id", OnDelete.CASCADE, name="marketplace_componen_user_id_c0368590_fk_marketpla"
        ),
    ),
    UniqueConstraint(
        "username", "component_usage_id", name="marketplace_componentuse_username_component_usage_f149a622_uniq"
    ),
    UniqueConstraint("uuid", name="marketplace_componentuserusage_uuid_key"),
    Index("marketplace_componentuserusage_component_usage_id_006fa0d3", "component_usage_id"),
    Index("marketplace_componentuserusage_user_id_c0368590", "user_id"),
)
