"""Organizations (customers) and their projects."""

from sqlalchemy import Boolean, Column, Date, DateTime, Integer, Numeric, String, Table, Text, Uuid

from waldur_dagster.schema.base import NEWER, OLDER, metadata

customer = Table(
    "structure_customer",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("name", String),
    Column("uuid", Uuid),
    Column("vat_code", String),
    Column("country", String),
    Column("abbreviation", String),
    Column("contact_details", Text),
    Column("agreement_number", String),
    Column("email", String),
    Column("phone_number", String),
    Column("registration_code", String),
    Column("address", String),
    Column("postal", String),
    Column("bank_name", String),
    Column("bank_account", String),
    Column("accounting_start_date", DateTime(timezone=True)),
    Column("default_tax_percent", Numeric(5, 2)),
    Column("blocked", Boolean),
    Column("sponsor_number", Integer),
    Column("archived", Boolean),
    Column("grace_period_days", Integer, info=NEWER),
    Column("organization_group_id", Integer, info=OLDER),
    Column("slug", String),
)

# Newer versions: an organization may be in several groups.
customer_organization_groups = Table(
    "structure_customer_organization_groups",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("customer_id", Integer),
    Column("organizationgroup_id", Integer),
    info=NEWER,
)

project = Table(
    "structure_project",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("modified", DateTime(timezone=True)),
    Column("name", String),
    Column("uuid", Uuid),
    Column("customer_id", Integer),
    Column("is_removed", Boolean),
    Column("end_date", Date),
    Column("end_date_requested_by_id", Integer),
    Column("slug", String),
    Column("start_date", Date),
    Column("grace_period_days", Integer, info=NEWER),
    Column("description", String),
    Column("oecd_fos_2007_code", String),
    Column("is_industry", Boolean),
)

organizationgroup = Table(
    "structure_organizationgroup",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String),
)

customerpermissionreview = Table(
    "structure_customerpermissionreview",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("is_pending", Boolean),
    Column("created", DateTime(timezone=True)),
    Column("closed", DateTime(timezone=True)),
    Column("customer_id", Integer),
    Column("reviewer_id", Integer),
)

servicesettings = Table(
    "structure_servicesettings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("uuid", Uuid),
    Column("type", String),
    Column("state", Integer),
    Column("error_message", Text),
    Column("backend_url", String),
    Column("username", String),
    Column("password", Text),
    Column("domain", String),
    Column("token", Text),
    Column("options", Text),
    Column("customer_id", Integer),
    Column("is_active", Boolean),
)
