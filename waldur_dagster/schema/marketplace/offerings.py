"""What is sold: categories, offerings with their components, plans with their prices."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
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

category = Table(
    "marketplace_category",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("title", String(255), nullable=False),
    Column("icon", String(100)),
    Column("description", Text, nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column("description_en", Text),
    Column("description_et", Text),
    Column("title_en", String(255)),
    Column("title_et", String(255)),
    Column("default_vm_category", Boolean, nullable=False),
    Column("default_volume_category", Boolean, nullable=False),
    Column("default_tenant_category", Boolean, nullable=False),
    Column("description_de", Text),
    Column("description_es", Text),
    Column("description_fr", Text),
    Column("description_it", Text),
    Column("description_lt", Text),
    Column("description_lv", Text),
    Column("description_nb", Text),
    Column("description_ru", Text),
    Column("description_sv", Text),
    Column("title_da", String(255)),
    Column("title_de", String(255)),
    Column("title_es", String(255)),
    Column("title_fr", String(255)),
    Column("title_it", String(255)),
    Column("title_lt", String(255)),
    Column("title_lv", String(255)),
    Column("title_nb", String(255)),
    Column("title_ru", String(255)),
    Column("title_sv", String(255)),
    Column("group_id", Integer),
    Column("description_da", Text),
    Column("description_ar", Text),
    Column("title_ar", String(255)),
    Column("description_cs", Text),
    Column("title_cs", String(255)),
    UniqueConstraint("uuid", name="marketplace_category_uuid_key"),
    Index("marketplace_category_group_id_718f7433", "group_id"),
)

categorycomponent = Table(
    "marketplace_categorycomponent",
    metadata,
    identity(),
    Column("description", String(2000), nullable=False),
    Column("name", String(150), nullable=False),
    Column("type", String(50), nullable=False),
    Column("measured_unit", String(30), nullable=False),
    Column(
        "category_id",
        Integer,
        references(
            "marketplace_category.id", OnDelete.CASCADE, name="marketplace_category_category_id_70a3d20d_fk_marketpla"
        ),
        nullable=False,
    ),
    Column("uuid", Uuid, nullable=False),
    UniqueConstraint("type", "category_id", name="marketplace_categorycomponent_type_category_id_1a7b2e89_uniq"),
    UniqueConstraint("uuid", name="marketplace_categorycomponent_uuid_key"),
    Index("marketplace_categorycomponent_category_id_70a3d20d", "category_id"),
)

offering = Table(
    "marketplace_offering",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("name", String(150), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("object_id", Integer),
    Column("thumbnail", String(100)),
    Column("full_description", Text, nullable=False),
    Column("vendor_details", Text, nullable=False),
    Column("rating", Integer),
    Column("attributes", JSONB, nullable=False),
    Column("options", JSONB, nullable=False),
    Column("native_name", String(160), nullable=False),
    Column("native_description", String(500), nullable=False),
    Column("terms_of_service", Text, nullable=False),
    Column("type", String(100), nullable=False),
    Column("state", Integer, nullable=False),
    Column("paused_reason", Text, nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("billable", Boolean, nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column(
        "category_id",
        Integer,
        references(
            "marketplace_category.id", OnDelete.CASCADE, name="marketplace_offering_category_id_5ce40afa_fk_marketpla"
        ),
        nullable=False,
    ),
    Column(
        "content_type_id",
        Integer,
        references(
            "django_content_type.id",
            OnDelete.CASCADE,
            name="marketplace_offering_content_type_id_a53ee4a5_fk_django_co",
        ),
    ),
    Column(
        "customer_id",
        Integer,
        references(
            "structure_customer.id", OnDelete.CASCADE, name="marketplace_offering_customer_id_726066c5_fk_structure"
        ),
    ),
    Column("plugin_options", JSONB, nullable=False),
    Column(
        "parent_id",
        Integer,
        references(
            "marketplace_offering.id", OnDelete.CASCADE, name="marketplace_offering_parent_id_59974a64_fk_marketpla"
        ),
    ),
    Column("datacite_doi", String(255), nullable=False),
    Column("secret_options", JSONB, nullable=False),
    Column("citation_count", Integer, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("latitude", Double),
    Column("longitude", Double),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="marketplace_offering_project_id_f90e85c7_fk_structure"
        ),
    ),
    Column("privacy_policy_link", String(200), nullable=False),
    Column("terms_of_service_link", String(200), nullable=False),
    Column("image", String(100)),
    Column("country", String(2), nullable=False),
    Column("getting_started", Text, nullable=False),
    Column("integration_guide", Text, nullable=False),
    Column("resource_options", JSONB, nullable=False),
    Column("backend_metadata", JSONB, nullable=False),
    Column("slug", String(50), nullable=False),
    UniqueConstraint("uuid", name="marketplace_offering_uuid_key"),
    CheckConstraint("object_id >= 0", name="marketplace_offering_object_id_check"),
    Index("marketplace_offering_category_id_5ce40afa", "category_id"),
    Index("marketplace_offering_content_type_id_a53ee4a5", "content_type_id"),
    Index("marketplace_offering_customer_id_726066c5", "customer_id"),
    Index("marketplace_offering_parent_id_59974a64", "parent_id"),
    Index("marketplace_offering_project_id_f90e85c7", "project_id"),
    Index("marketplace_offering_slug_60c2f8d0", "slug"),
    Index("marketplace_offering_slug_60c2f8d0_like", "slug", postgresql_ops={"slug": "varchar_pattern_ops"}),
)

offering_organization_groups = Table(
    "marketplace_offering_organization_groups",
    metadata,
    identity(),
    Column(
        "offering_id",
        Integer,
        references(
            "marketplace_offering.id", OnDelete.CASCADE, name="marketplace_offering_offering_id_14d124ed_fk_marketpla"
        ),
        nullable=False,
    ),
    Column(
        "organizationgroup_id",
        Integer,
        references(
            "structure_organizationgroup.id",
            OnDelete.CASCADE,
            name="marketplace_offering_organizationgroup_id_f5f793ef_fk_structure",
        ),
        nullable=False,
    ),
    UniqueConstraint(
        "offering_id", "organizationgroup_id", name="marketplace_offering_div_offering_id_division_id_4e4ec1bf_uniq"
    ),
    Index("marketplace_offering_divisions_division_id_9b971986", "organizationgroup_id"),
    Index("marketplace_offering_divisions_offering_id_14d124ed", "offering_id"),
)

offeringcomponent = Table(
    "marketplace_offeringcomponent",
    metadata,
    identity(),
    Column("description", String(2000), nullable=False),
    Column("article_code", String(30), nullable=False),
    Column("name", String(150), nullable=False),
    Column("type", String(50), nullable=False),
    Column("measured_unit", String(30), nullable=False),
    Column("billing_type", String(5), nullable=False),
    Column("limit_period", String(6)),
    Column("limit_amount", Integer),
    Column("max_value", Integer),
    Column("min_value", Integer),
    Column(
        "offering_id",
        Integer,
        references(
            "marketplace_offering.id", OnDelete.CASCADE, name="marketplace_offering_offering_id_3d076417_fk_marketpla"
        ),
        nullable=False,
    ),
    Column(
        "parent_id",
        Integer,
        references(
            "marketplace_categorycomponent.id",
            OnDelete.CASCADE,
            name="marketplace_offering_parent_id_100f4a0b_fk_marketpla",
        ),
    ),
    Column(
        "content_type_id",
        Integer,
        references(
            "django_content_type.id",
            OnDelete.CASCADE,
            name="marketplace_offering_content_type_id_b87333cc_fk_django_co",
        ),
    ),
    Column("object_id", Integer),
    Column("is_boolean", Boolean, nullable=False),
    Column("default_limit", Integer),
    Column("backend_id", String(255), nullable=False),
    Column("max_available_limit", Integer),
    Column("uuid", Uuid, nullable=False),
    UniqueConstraint("type", "offering_id", name="marketplace_offeringcomponent_type_offering_id_84f3bf88_uniq"),
    UniqueConstraint("uuid", name="marketplace_offeringcomponent_uuid_key"),
    CheckConstraint("object_id >= 0", name="marketplace_offeringcomponent_object_id_check"),
    Index("marketplace_offeringcomponent_content_type_id_b87333cc", "content_type_id"),
    Index("marketplace_offeringcomponent_offering_id_3d076417", "offering_id"),
    Index("marketplace_offeringcomponent_parent_id_100f4a0b", "parent_id"),
)

offeringuser = Table(
    "marketplace_offeringuser",
    metadata,
    identity(),
    Column("username", String(100)),
    Column(
        "offering_id",
        Integer,
        references(
            "marketplace_offering.id", OnDelete.CASCADE, name="marketplace_offering_offering_id_08a76ae0_fk_marketpla"
        ),
        nullable=False,
    ),
    Column(
        "user_id",
        Integer,
        references("core_user.id", OnDelete.CASCADE, name="marketplace_offeringuser_user_id_1f2dffc4_fk_core_user_id"),
        nullable=False,
    ),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("propagation_date", DateTime(timezone=True)),
    Column("backend_metadata", JSONB, nullable=False),
    Column("is_restricted", Boolean, nullable=False),
    Column("uuid", Uuid, nullable=False),
    UniqueConstraint("offering_id", "user_id", name="marketplace_offeringuser_offering_id_user_id_3a09b32c_uniq"),
    UniqueConstraint("uuid", name="marketplace_offeringuser_uuid_b94e009d_uniq"),
    Index("marketplace_offeringuser_offering_id_08a76ae0", "offering_id"),
    Index("marketplace_offeringuser_user_id_1f2dffc4", "user_id"),
)

plan = Table(
    "marketplace_plan",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("name", String(150), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("unit_price", Numeric(22, 10), nullable=False),
    Column("unit", String(30), nullable=False),
    Column("article_code", String(30), nullable=False),
    Column("object_id", Integer),
    Column("archived", Boolean, nullable=False),
    Column("backend_id", String(255), nullable=False),
    Column("max_amount", SmallInteger),
    Column(
        "content_type_id",
        Integer,
        references(
            "django_content_type.id", OnDelete.CASCADE, name="marketplace_plan_content_type_id_06c6a182_fk_django_co"
        ),
    ),
    Column(
        "offering_id",
        Integer,
        references(
            "marketplace_offering.id", OnDelete.CASCADE, name="marketplace_plan_offering_id_c1f9bdc3_fk_marketpla"
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="marketplace_plan_uuid_key"),
    CheckConstraint("max_amount >= 0", name="marketplace_plan_max_amount_check"),
    CheckConstraint("object_id >= 0", name="marketplace_plan_object_id_check"),
    Index("marketplace_plan_content_type_id_06c6a182", "content_type_id"),
    Index("marketplace_plan_offering_id_c1f9bdc3", "offering_id"),
)

plancomponent = Table(
    "marketplace_plancomponent",
    metadata,
    identity(),
    Column("amount", Integer, nullable=False),
    Column("price", Numeric(22, 10), nullable=False),
    Column(
        "component_id",
        Integer,
        references(
            "marketplace_offeringcomponent.id",
            OnDelete.CASCADE,
            name="marketplace_plancomp_component_id_3628511e_fk_marketpla",
        ),
    ),
    Column(
        "plan_id",
        Integer,
        references("marketplace_plan.id", OnDelete.CASCADE, name="marketplace_plancomp_plan_id_fa27c481_fk_marketpla"),
        nullable=False,
    ),
    Column("future_price", Numeric(22, 10)),
    UniqueConstraint("plan_id", "component_id", name="marketplace_plancomponent_plan_id_component_id_d6e180fd_uniq"),
    CheckConstraint("amount >= 0", name="marketplace_plancomponent_amount_check"),
    Index("marketplace_plancomponent_component_id_3628511e", "component_id"),
    Index("marketplace_plancomponent_plan_id_fa27c481", "plan_id"),
)

serviceprovider = Table(
    "marketplace_serviceprovider",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("description", String(2000), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("enable_notifications", Boolean, nullable=False),
    Column("api_secret_code", String(255)),
    Column("lead_email", String(254)),
    Column("lead_subject", String(255), nullable=False),
    Column("lead_body", Text, nullable=False),
    Column(
        "customer_id",
        Integer,
        references(
            "structure_customer.id", OnDelete.CASCADE, name="marketplace_servicep_customer_id_853c0383_fk_structure"
        ),
        nullable=False,
    ),
    Column("image", String(100)),
    UniqueConstraint("customer_id", name="marketplace_serviceprovider_customer_id_key"),
    UniqueConstraint("uuid", name="marketplace_serviceprovider_uuid_key"),
)
