"""How alembic runs: on the connection that ``migrate`` gives it, its version table in our own schema."""

from alembic import context
from sqlalchemy import text

from waldur_dagster.outbox.tables import SCHEMA, metadata

connection = context.config.attributes["connection"]
connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
context.configure(connection=connection, target_metadata=metadata, version_table_schema=SCHEMA, include_schemas=True)
with context.begin_transaction():
    context.run_migrations()
