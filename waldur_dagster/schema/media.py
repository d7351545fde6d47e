"""Files that Waldur keeps in its database: pictures of offerings and others."""

from sqlalchemy import Column, DateTime, Integer, LargeBinary, String, Table, Uuid

from waldur_dagster.schema.base import metadata

file = Table(
    "media_file",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created", DateTime(timezone=True)),
    Column("modified", DateTime(timezone=True)),
    Column("uuid", Uuid),
    Column("name", String),
    Column("content", LargeBinary),
    Column("size", Integer),
    Column("mime_type", String),
    Column("hash", String),
)
