"""Invoices with their items, credits, payment profiles and payments."""

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

customercredit = Table(
    "invoices_customercredit",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("value", Numeric(11, 5), nullable=False),
    Column(
        "customer_id",
        Integer,
        references(
            "structure_customer.id", OnDelete.CASCADE, name="invoices_customercre_customer_id_c73cade7_fk_structure"
        ),
        nullable=False,
    ),
    Column("end_date", Date),
    Column("minimal_consumption", Numeric(11, 5), nullable=False),
    Column("minimal_consumption_logic", String(10), nullable=False),
    UniqueConstraint("customer_id", name="invoices_customercredit_customer_id_key"),
    UniqueConstraint("uuid", name="invoices_customercredit_uuid_key"),
)

customercredit_offerings = Table(
    "invoices_customercredit_offerings",
    metadata,
    identity(),
    Column(
        "customercredit_id",
        Integer,
        references(
            "invoices_customercredit.id",
            OnDelete.CASCADE,
            name="invoices_customercre_customercredit_id_be4baed5_fk_invoices_",
        ),
        nullable=False,
    ),
    Column(
        "offering_id",
        Integer,
        references(
            "marketplace_offering.id", OnDelete.CASCADE, name="invoices_customercre_offering_id_9fd874bf_fk_marketpla"
        ),
        nullable=False,
    ),
    UniqueConstraint(
        "customercredit_id", "offering_id", name="invoices_customercredit__customercredit_id_offeri_7cea1569_uniq"
    ),
    Index("invoices_customercredit_offerings_customercredit_id_be4baed5", "customercredit_id"),
    Index("invoices_customercredit_offerings_offering_id_9fd874bf", "offering_id"),
)

invoice = Table(
    "invoices_invoice",
    metadata,
    identity(),
    Column("uuid", Uuid, nullable=False),
    Column("month", SmallInteger, nullable=False),
    Column("year", SmallInteger, nullable=False),
    Column("state", String(30), nullable=False),
    Column(
        "customer_id",
        Integer,
        references(
            "structure_customer.id",
            OnDelete.CASCADE,
            name="invoices_invoice_customer_id_137e7301_fk_structure_customer_id",
        ),
        nullable=False,
    ),
    Column("invoice_date", Date),
    Column("tax_percent", Numeric(4, 2), nullable=False),
    Column("total_cost", Numeric(22, 2), nullable=False),
    Column("created", Date),
    Column("backend_id", String(255), nullable=False),
    Column("payment_url", String(200), nullable=False),
    Column("reference_number", String(300), nullable=False),
    Column("total_price", Numeric(22, 2), nullable=False),
    UniqueConstraint("customer_id", "month", "year", name="invoices_invoice_customer_id_month_year_65e20e44_uniq"),
    UniqueConstraint("uuid", name="invoices_invoice_uuid_key"),
    CheckConstraint("month >= 0", name="invoices_invoice_month_check"),
    CheckConstraint("year >= 0", name="invoices_invoice_year_check"),
    Index("invoices_invoice_customer_id_137e7301", "customer_id"),
)

invoiceitem = Table(
    "invoices_invoiceitem",
    metadata,
    identity(),
    Column("unit_price", Numeric(22, 10), nullable=False),
    Column("unit", String(30), nullable=False),
    Column("article_code", String(30), nullable=False),
    Column("start", DateTime(timezone=True), nullable=False),
    Column("end", DateTime(timezone=True), nullable=False),
    Column("project_name", String(500), nullable=False),
    Column("project_uuid", String(32), nullable=False),
    Column("details", JSONB, nullable=False),
    Column(
        "invoice_id",
        Integer,
        references(
            "invoices_invoice.id",
            OnDelete.CASCADE,
            name="invoices_invoiceitem_invoice_id_5ce05433_fk_invoices_invoice_id",
        ),
        nullable=False,
    ),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.SET_NULL, name="invoices_invoiceitem_project_id_8ef6c87c_fk_structure"
        ),
    ),
    Column("quantity", Numeric(22, 10), nullable=False),
    Column("name", Text, nullable=False),
    Column(
        "resource_id",
        Integer,
        references(
            "marketplace_resource.id", OnDelete.SET_NULL, name="invoices_invoiceitem_resource_id_4a54edf9_fk_marketpla"
        ),
    ),
    Column("measured_unit", String(30), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("backend_uuid", Uuid),
    Column(
        "credit_id",
        Integer,
        references(
            "invoices_customercredit.id", OnDelete.SET_NULL, name="invoices_invoiceitem_credit_id_48f1fed5_fk_invoices_"
        ),
    ),
    UniqueConstraint("uuid", name="invoices_invoiceitem_uuid_key"),
    Index("invoices_invoiceitem_credit_id_48f1fed5", "credit_id"),
    Index("invoices_invoiceitem_invoice_id_5ce05433", "invoice_id"),
    Index("invoices_invoiceitem_project_id_8ef6c87c", "project_id"),
    Index("invoices_invoiceitem_resource_id_4a54edf9", "resource_id"),
)

payment = Table(
    "invoices_payment",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("sum", Numeric(10, 2), nullable=False),
    Column("date_of_payment", Date, nullable=False),
    Column(
        "profile_id",
        Integer,
        references(
            "invoices_paymentprofile.id", OnDelete.PROTECT, name="invoices_payment_profile_id_797b79c2_fk_invoices_"
        ),
        nullable=False,
    ),
    Column("proof", String(100)),
    Column(
        "invoice_id",
        Integer,
        references(
            "invoices_invoice.id", OnDelete.SET_NULL, name="invoices_payment_invoice_id_d69b2c32_fk_invoices_invoice_id"
        ),
    ),
    UniqueConstraint("uuid", name="invoices_payment_uuid_key"),
    Index("invoices_payment_invoice_id_d69b2c32", "invoice_id"),
    Index("invoices_payment_profile_id_797b79c2", "profile_id"),
)

paymentprofile = Table(
    "invoices_paymentprofile",
    metadata,
    identity(),
    Column("uuid", Uuid, nullable=False),
    Column("payment_type", String(30), nullable=False),
    Column("attributes", JSONB, nullable=False),
    Column(
        "organization_id",
        Integer,
        references(
            "structure_customer.id", OnDelete.PROTECT, name="invoices_paymentprof_organization_id_e41e69f8_fk_structure"
        ),
        nullable=False,
    ),
    Column("is_active", Boolean),
    Column("name", String(150), nullable=False),
    UniqueConstraint(
        "organization_id", "is_active", name="invoices_paymentprofile_organization_id_is_active_03dfc2da_uniq"
    ),
    UniqueConstraint("uuid", name="invoices_paymentprofile_uuid_key"),
    Index("invoices_paymentprofile_organization_id_e41e69f8", "organization_id"),
)

projectcredit = Table(
    "invoices_projectcredit",
    metadata,
    identity(),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("modified", DateTime(timezone=True), nullable=False),
    Column("uuid", Uuid, nullable=False),
    Column("value", Numeric(11, 5), nullable=False),
    Column("use_organisation_credit", Boolean, nullable=False),
    Column(
        "project_id",
        Integer,
        references(
            "structure_project.id", OnDelete.CASCADE, name="invoices_projectcred_project_id_b912ae6e_fk_structure"
        ),
        nullable=False,
    ),
    UniqueConstraint("project_id", name="invoices_projectcredit_project_id_key"),
    UniqueConstraint("uuid", name="invoices_projectcredit_uuid_key"),
)
