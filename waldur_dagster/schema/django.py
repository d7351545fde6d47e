"""Django's own tables that Waldur relies on: content types, sites, templates that operators have overridden."""

from sqlalchemy import Column, Integer, String, Table, Text

from waldur_dagster.schema.base import OLDER, metadata

content_type = Table(
    "django_content_type",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("app_label", String),
    Column("model", String),
)

template = Table(
    "django_template",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("content", Text),
    info=OLDER,
)

template_sites = Table(
    "django_template_sites",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("template_id", Integer),
    Column("site_id", Integer),
    info=OLDER,
)
