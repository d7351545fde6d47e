"""Quotas: a log of changes in usage, and limits."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, String, Table, UniqueConstraint

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

quotausage = Table(
    "quotas_quotausage",
    metadata,
    identity(),
    Column("name", String(150), nullable=False),
    Column("delta", BigInteger, nullable=False),
    Column("object_id", Integer),
    Column(
        "content_type_id",
        Integer,
        references(
            "django_content_type.id", OnDelete.CASCADE, name="quotas_quotausage_content_type_id_66cb66a9_fk_django_co"
        ),
    ),
    CheckConstraint("object_id >= 0", name="quotas_quotausage_object_id_check"),
    Index("quotas_quotausage_content_type_id_66cb66a9", "content_type_id"),
    Index("quotas_quotausage_name_bba41942", "name"),
    Index("quotas_quotausage_name_bba41942_like", "name", postgresql_ops={"name": "varchar_pattern_ops"}),
)

quotalimit = Table(
    "quotas_quotalimit",
    metadata,
    identity(),
    Column("name", String(150), nullable=False),
    Column("value", BigInteger, nullable=False),
    Column("object_id", Integer),
    Column(
        "content_type_id",
        Integer,
        references(
            "django_content_type.id", OnDelete.CASCADE, name="quotas_quotalimit_content_type_id_ab1823c3_fk_django_co"
        ),
    ),
    UniqueConstraint(
        "name", "content_type_id", "object_id", name="quotas_quotalimit_name_content_type_id_object_id_d09dea1a_uniq"
    ),
    CheckConstraint("object_id >= 0", name="quotas_quotalimit_object_id_check"),
    Index("quotas_quotalimit_content_type_id_ab1823c3", "content_type_id"),
    Index("quotas_quotalimit_name_577303af", "name"),
    Index("quotas_quotalimit_name_577303af_like", "name", postgresql_ops={"name": "varchar_pattern_ops"}),
)
