"""The schema that this program has for itself in the site's database; alembic migrates it (``outbox.migrate``)."""

from sqlalchemy import MetaData

SCHEMA = "waldur_dagster"
metadata = MetaData(schema=SCHEMA)
