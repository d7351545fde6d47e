"""Works that cite what is sold, as DataCite knows them."""

from sqlalchemy import Column, Integer, String, Table, Uuid

from waldur_dagster.schema.base import metadata

datacitereferral = Table(
    "waldur_pid_datacitereferral",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("content_type_id", Integer),
    Column("object_id", Integer),
    Column("pid", String),
    Column("relation_type", String),
    Column("resource_type", String),
    Column("creator", String),
    Column("publisher", String),
    Column("title", String),
    Column("published", String),
    Column("referral_url", String),
)
