"""Django's own tables that Waldur relies on: content types, sites, templates that operators have overridden."""

from sqlalchemy import Column, DateTime, Index, Integer, String, Table, Text, UniqueConstraint

from waldur_dagster.schema.base import OnDelete, identity, metadata, references

content_type = Table(
    "django_content_type",
    metadata,
    identity(),
    Column("app_label", String(100), nullable=False),
    Column("model", String(100), nullable=False),
    UniqueConstraint("app_label", "model", name="django_content_type_app_label_model_76bd3d3b_uniq"),
)

site = Table(
    "django_site",
    metadata,
    identity(),
    Column("domain", String(100), nullable=False),
    Column("name", String(50), nullable=False),
    UniqueConstraint("domain", name="django_site_domain_a2e37b91_uniq"),
    Index("django_site_domain_a2e37b91_like", "domain", postgresql_ops={"domain": "varchar_pattern_ops"}),
)

template = Table(
    "django_template",
    metadata,
    identity(),
    Column("name", String(100), nullable=False),
    Column("content", Text, nullable=False),
    Column("creation_date", DateTime(timezone=True), nullable=False),
    Column("last_changed", DateTime(timezone=True), nullable=False),
)

template_sites = Table(
    "django_template_sites",
    metadata,
    identity(),
    Column(
        "template_id",
        Integer,
        references(
            "django_template.id", OnDelete.CASCADE, name="django_template_site_template_id_0f2393fe_fk_django_te"
        ),
        nullable=False,
    ),
    Column(
        "site_id",
        Integer,
        references("django_site.id", OnDelete.CASCADE, name="django_template_sites_site_id_46483cfe_fk_django_site_id"),
        nullable=False,
    ),
    UniqueConstraint("template_id", "site_id", name="django_template_sites_template_id_site_id_d00c11a4_uniq"),
    Index("django_template_sites_site_id_46483cfe", "site_id"),
    Index("django_template_sites_template_id_0f2393fe", "template_id"),
)
