"""History of quotas, day by day."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, Index, Integer, String, Table, UniqueConstraint

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

dailyquotahistory = Table(
    "analytics_dailyquotahistory",
    metadata,
    identity(),
    Column("object_id", Integer, nullable=False),
    Column("name", String(150), nullable=False),
    Column("usage", BigInteger, nullable=False),
    Column("date", Date, nullable=False),
    Column(
        "content_type_id",
        Integer,
        references(
            "django_content_type.id",
            OnDelete.CASCADE,
            name="analytics_dailyquota_content_type_id_4188a82e_fk_django_co",
        ),
        nullable=False,
    ),
    UniqueConstraint(
        "content_type_id",
        "object_id",
        "name",
        "date",
        name="analytics_dailyquotahist_content_type_id_object_i_c22cd8ab_uniq",
    ),
    CheckConstraint("object_id >= 0", name="analytics_dailyquotahistory_object_id_check"),
    Index("analytics_dailyquotahistory_content_type_id_4188a82e", "content_type_id"),
    Index("analytics_dailyquotahistory_name_932b26d0", "name"),
    Index("analytics_dailyquotahistory_name_932b26d0_like", "name", postgresql_ops={"name": "varchar_pattern_ops"}),
)
