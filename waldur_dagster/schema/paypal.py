"""Invoices as they are handed to PayPal."""

from sqlalchemy import (
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

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

invoice = Table(
    "waldur_paypal_invoice",
    metadata,
    identity(),
    Column("uuid", Uuid, nullable=False),
    Column("state", String(30), nullable=False),
    Column("invoice_date", Date, nullable=False),
    Column("end_date", Date, nullable=False),
    Column("pdf", String(100)),
    Column("number", String(30), nullable=False),
    Column("tax_percent", Numeric(4, 2), nullable=False),
    Column("backend_id", String(128), nullable=False),
    Column("issuer_details", Text, nullable=False),
    Column("payment_details", Text, nullable=False),
    Column("month", SmallInteger, nullable=False),
    Column("year", SmallInteger, nullable=False),
    Column(
        "customer_id",
        Integer,
        references(
            "structure_customer.id", OnDelete.CASCADE, name="waldur_paypal_invoic_customer_id_a7dfcc09_fk_structure"
        ),
        nullable=False,
    ),
    UniqueConstraint("uuid", name="waldur_paypal_invoice_uuid_key"),
    CheckConstraint("month >= 0", name="waldur_paypal_invoice_month_check"),
    CheckConstraint("year >= 0", name="waldur_paypal_invoice_year_check"),
    Index("waldur_paypal_invoice_customer_id_a7dfcc09", "customer_id"),
)

invoiceitem = Table(
    "waldur_paypal_invoiceitem",
    metadata,
    identity(),
    Column("price", Numeric(9, 2), nullable=False),
    Column("tax", Numeric(9, 2), nullable=False),
    Column("unit_price", Numeric(9, 2), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("unit_of_measure", String(30), nullable=False),
    Column("name", String(255), nullable=False),
    Column("start", DateTime(timezone=True)),
    Column("end", DateTime(timezone=True)),
    Column(
        "invoice_id",
        Integer,
        references(
            "waldur_paypal_invoice.id", OnDelete.CASCADE, name="waldur_paypal_invoic_invoice_id_b0d1f966_fk_waldur_pa"
        ),
        nullable=False,
    ),
    CheckConstraint("quantity >= 0", name="waldur_paypal_invoiceitem_quantity_check"),
    Index("waldur_paypal_invoiceitem_invoice_id_b0d1f966", "invoice_id"),
)
