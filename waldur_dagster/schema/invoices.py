"""Invoices with their items, credits, payment profiles and payments."""

from sqlalchemy import Boolean, Column, Date, DateTime, Integer, Numeric, SmallInteger, String, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.schema.base import NEWER, OLDER, metadata

customercredit = Table(
    "invoices_customercredit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("modified", DateTime(timezone=True)),
    Column("uuid", Uuid),
    Column("value", Numeric(16, 5)),
    Column("customer_id", Integer),
    Column("end_date", Date),
    Column("minimal_consumption", Numeric(11, 5), info=OLDER),
    Column("minimal_consumption_logic", String),
    Column("expected_consumption", Numeric(16, 5), info=NEWER),
    Column("grace_coefficient", Numeric(3, 0), info=NEWER),
    Column("apply_as_minimal_consumption", Boolean, info=NEWER),
)

customercredit_offerings = Table(
    "invoices_customercredit_offerings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("customercredit_id", Integer),
    Column("offering_id", Integer),
)

invoice = Table(
    "invoices_invoice",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("month", SmallInteger),
    Column("year", SmallInteger),
    Column("state", String),
    Column("customer_id", Integer),
    Column("invoice_date", Date),
    Column("tax_percent", Numeric(4, 2)),
    Column("total_cost", Numeric(22, 2)),
    Column("created", Date),
    Column("backend_id", String),
    Column("payment_url", String),
    Column("reference_number", String),
    Column("total_price", Numeric(22, 2)),
)

invoiceitem = Table(
    "invoices_invoiceitem",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("backend_uuid", Uuid),
    Column("unit_price", Numeric(22, 10)),
    Column("unit", String),
    Column("article_code", String),
    Column("start", DateTime(timezone=True)),
    Column("end", DateTime(timezone=True)),
    Column("project_name", String),
    Column("project_uuid", String),
    Column("details", JSONB),
    Column("invoice_id", Integer),
    Column("project_id", Integer),
    Column("quantity", Numeric(22, 10)),
    Column("name", Text),
    Column("resource_id", Integer),
    Column("measured_unit", String),
    Column("uuid", Uuid),
    Column("credit_id", Integer),
    Column("plan_component_id", Integer, info=NEWER),
)

payment = Table(
    "invoices_payment",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("modified", DateTime(timezone=True)),
    Column("uuid", Uuid),
    Column("sum", Numeric(10, 2)),
    Column("date_of_payment", Date),
    Column("profile_id", Integer),
    Column("proof", String),
    Column("invoice_id", Integer),
)

paymentprofile = Table(
    "invoices_paymentprofile",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("payment_type", String),
    Column("attributes", JSONB),
    Column("organization_id", Integer),
    Column("is_active", Boolean),
)

projectcredit = Table(
    "invoices_projectcredit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("modified", DateTime(timezone=True)),
    Column("uuid", Uuid),
    Column("value", Numeric(16, 5)),
    Column("use_organisation_credit", Boolean, info=OLDER),
    Column("project_id", Integer),
    Column("end_date", Date, info=NEWER),
    Column("minimal_consumption_logic", String, info=NEWER),
    Column("expected_consumption", Numeric(16, 5), info=NEWER),
    Column("grace_coefficient", Numeric(3, 0), info=NEWER),
    Column("apply_as_minimal_consumption", Boolean, info=NEWER),
    Column("mark_unused_credit_as_spent_on_project_termination", Boolean, info=NEWER),
)

# The ledger: what every change of a credit's value was for.
credittransaction = Table(
    "invoices_credittransaction",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("created", DateTime(timezone=True)),
    Column("amount", Numeric(16, 5)),
    Column("transaction_type", String),
    Column("comment", Text),
    Column("billing_period", Date),
    Column("credit_id", Integer),
    Column("project_credit_id", Integer),
    Column("project_name", String),
    Column("project_uuid", String),
    Column("content_type_id", Integer),
    Column("object_id", Integer),
    info=NEWER,
)

# Who earns a share of what a customer pays, and what was earned with each invoice.
customeraffiliate = Table(
    "invoices_customeraffiliate",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("customer_id", Integer),
    Column("affiliate_id", Integer),
    Column("fee_percent", Numeric(8, 5)),
    Column("is_active", Boolean),
    Column("start_date", Date),
    Column("end_date", Date),
    info=NEWER,
)

affiliatefeeaccrual = Table(
    "invoices_affiliatefeeaccrual",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("modified", DateTime(timezone=True)),
    Column("uuid", Uuid),
    Column("affiliate_link_id", Integer),
    Column("invoice_id", Integer),
    Column("amount", Numeric(16, 5)),
    info=NEWER,
)
