"""Invoices as they are handed to PayPal."""

from sqlalchemy import Column, Date, DateTime, Integer, Numeric, SmallInteger, String, Table, Text, Uuid

from waldur_dagster.schema.base import OLDER, metadata

invoice = Table(
    "waldur_paypal_invoice",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("state", String),
    Column("invoice_date", Date),
    Column("end_date", Date),
    Column("pdf", String),
    Column("number", String),
    Column("tax_percent", Numeric(4, 2)),
    Column("backend_id", String),
    Column("issuer_details", Text),
    Column("payment_details", Text),
    Column("month", SmallInteger),
    Column("year", SmallInteger),
    Column("customer_id", Integer),
    info=OLDER,
)

invoiceitem = Table(
    "waldur_paypal_invoiceitem",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("price", Numeric(9, 2)),
    Column("tax", Numeric(9, 2)),
    Column("unit_price", Numeric(9, 2)),
    Column("quantity", Integer),
    Column("unit_of_measure", String),
    Column("name", String),
    Column("start", DateTime(timezone=True)),
    Column("end", DateTime(timezone=True)),
    Column("invoice_id", Integer),
    info=OLDER,
)
