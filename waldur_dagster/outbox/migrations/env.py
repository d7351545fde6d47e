"""How alembic runs: on the connection that ``migrate`` gives it, its version table in our own schema."""

from alembic import context
from sqlalchemy import inspect, text

from waldur_dagster import commits
from waldur_dagster.outbox import tables
from waldur_dagster.own_schema import SCHEMA, metadata

assert commits.last_commit is not None and tables.message is not None  # both have put their tables into it

connection = context.config.attributes["connection"]
if not inspect(connection).has_schema(SCHEMA):  # an owner may have made it for a user that may not
    connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
context.configure(connection=connection, target_metadata=metadata, version_table_schema=SCHEMA, include_schemas=True)
with context.begin_transaction():
    context.run_migrations()
