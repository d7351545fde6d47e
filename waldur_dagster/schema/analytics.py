"""History of quotas, day by day."""

from sqlalchemy import BigInteger, Column, Date, Integer, String, Table

from waldur_dagster.schema.base import metadata

dailyquotahistory = Table(
    "analytics_dailyquotahistory",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("object_id", Integer),
    Column("name", String),
    Column("usage", BigInteger),
    Column("date", Date),
    Column("content_type_id", Integer),
)
