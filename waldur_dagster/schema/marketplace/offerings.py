"""What is sold: categories, offerings with their components, plans with their prices."""

from sqlalchemy import Boolean, Column, DateTime, Integer, Numeric, SmallInteger, String, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.schema.base import NEWER, OLDER, metadata

category = Table(
    "marketplace_category",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("title", String),
)

categorycomponent = Table(
    "marketplace_categorycomponent",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("measured_unit", String),
    Column("category_id", Integer),
)

offering = Table(
    "marketplace_offering",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("modified", DateTime(timezone=True)),
    Column("description", String),
    Column("name", String),
    Column("uuid", Uuid),
    Column("object_id", Integer),
    Column("type", String),
    Column("state", Integer),
    Column("shared", Boolean),
    Column("billable", Boolean),
    Column("backend_id", String),
    Column("category_id", Integer),
    Column("content_type_id", Integer),
    Column("customer_id", Integer),
    Column("plugin_options", JSONB),
    Column("parent_id", Integer),
    Column("secret_options", JSONB),
    Column("project_id", Integer),
    Column("slug", String),
    Column("error_message", Text),
    Column("datacite_doi", String),
    Column("citation_count", Integer),
    Column("full_description", Text),
    Column("terms_of_service", Text, info=OLDER),
    Column("terms_of_service_link", String, info=OLDER),
    Column("privacy_policy_link", String),
    Column("getting_started", Text),
    Column("integration_guide", Text),
    Column("country", String),
    Column("options", JSONB),
    Column("resource_options", JSONB),
    Column("image", String),
    Column("thumbnail", String),
    Column("access_url", String, info=NEWER),
    Column("remote_image_uuid", Uuid, info=NEWER),
)

offeringaccessendpoint = Table(
    "marketplace_offeringaccessendpoint",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("uuid", Uuid),
    Column("url", String),
    Column("offering_id", Integer),
)

# Newer versions: the terms of an offering have versions.
offeringtermsofservice = Table(
    "marketplace_offeringtermsofservice",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("modified", DateTime(timezone=True)),
    Column("uuid", Uuid),
    Column("offering_id", Integer),
    Column("terms_of_service", Text),
    Column("terms_of_service_link", String),
    Column("version", String),
    Column("is_active", Boolean),
    Column("requires_reconsent", Boolean),
    info=NEWER,
)

screenshot = Table(
    "marketplace_screenshot",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("modified", DateTime(timezone=True)),
    Column("uuid", Uuid),
    Column("name", String),
    Column("description", String),
    Column("image", String),
    Column("thumbnail", String),
    Column("offering_id", Integer),
    Column("backend_id", String, info=NEWER),
)

offering_organization_groups = Table(
    "marketplace_offering_organization_groups",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("offering_id", Integer),
    Column("organizationgroup_id", Integer),
)

offeringcomponent = Table(
    "marketplace_offeringcomponent",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("article_code", String),
    Column("name", String),
    Column("type", String),
    Column("measured_unit", String),
    Column("billing_type", String),
    Column("limit_period", String),
    Column("limit_amount", Numeric(20, 2)),
    Column("offering_id", Integer),
    Column("parent_id", Integer),
    Column("uuid", Uuid),
    Column("billed_per_plan", Boolean, info=NEWER),
    Column("limit_decimal_places", SmallInteger, info=NEWER),
    Column("is_prepaid", Boolean, info=NEWER),
    Column("overage_component_id", Integer, info=NEWER),
    Column("description", String),
    Column("content_type_id", Integer),
    Column("object_id", Integer),
    Column("min_value", Numeric(20, 2)),
    Column("max_value", Numeric(20, 2)),
    Column("default_limit", Numeric(20, 2)),
    Column("is_boolean", Boolean),
    Column("backend_id", String),
)

plan = Table(
    "marketplace_plan",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("modified", DateTime(timezone=True)),
    Column("description", String),
    Column("archived", Boolean),
    Column("backend_id", String),
    Column("name", String),
    Column("uuid", Uuid),
    Column("unit_price", Numeric(22, 10)),
    Column("unit", String),
    Column("article_code", String),
    Column("offering_id", Integer),
    Column("billing_mode", String, info=NEWER),
)

plancomponent = Table(
    "marketplace_plancomponent",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("amount", Integer),
    Column("price", Numeric(22, 10)),
    Column("component_id", Integer),
    Column("plan_id", Integer),
    Column("future_price", Numeric(22, 10)),
    Column("discount_formula", Text, info=NEWER),
    Column("discount_aggregation", String, info=NEWER),
)

serviceprovider = Table(
    "marketplace_serviceprovider",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("customer_id", Integer),
)
