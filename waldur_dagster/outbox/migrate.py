"""Bringing the program's own schema in the site's database up to date, with alembic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Engine
from sqlalchemy.exc import ProgrammingError

from waldur_dagster.own_schema import SCHEMA

if TYPE_CHECKING:
    from alembic.config import Config

NO_OUTBOX = "The site has no outbox yet: run `waldur-dagster migrate`."


class NoOutbox(Exception):
    """The program's own schema is not there, or not at the newest revision; the text says what to do."""


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def migrate(engine: Engine) -> None:
    """Make the schema, or bring it to the newest revision; does nothing when it is there already.

    Raises NoOutbox when the database's user may not.
    """
    from alembic import command

    config = _config()
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except ProgrammingError as error:
        if not isinstance(error.orig, InsufficientPrivilege):
            raise
        user, database = engine.url.username, engine.url.database
        raise NoOutbox(
            f"{user} may not make or change the schema {SCHEMA}: {str(error.orig).strip().splitlines()[0]}. "
            f'As the database\'s owner: CREATE SCHEMA {SCHEMA} AUTHORIZATION "{user}"; '
            f'or: GRANT CREATE ON DATABASE "{database}" TO "{user}"'
        ) from None


def is_current(engine: Engine) -> bool:
    """Whether the schema is at the newest revision."""
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA})
        return set(context.get_current_heads()) == set(ScriptDirectory.from_config(_config()).get_heads())


def require_current(engine: Engine) -> None:
    """Raises NoOutbox when the schema is not at the newest revision."""
    if not is_current(engine):
        raise NoOutbox(NO_OUTBOX)
