"""Whose a message is: of the deployment, and the database, that wrote it.

A copy of a site's database holds the site's messages, which must not be sent a second time from there.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, or_, text
from sqlalchemy.exc import DBAPIError

from waldur_dagster.deployment import Deployment
from waldur_dagster.outbox.tables import message

# A restored dump has another system identifier, a copy beside the original another name.
_IDENTITY = text("SELECT system_identifier || '/' || current_database() FROM pg_control_system()")
# Some managed servers have no pg_control_system.
_LESSER_IDENTITY = text("SELECT oid || '/' || datname FROM pg_database WHERE datname = current_database()")


def origin(connection: Connection, deployment: Deployment) -> str:
    """The name of the deployment, and the identity of the database; asked once for each connection."""
    known = connection.info
    if "database identity" not in known:
        try:
            with connection.begin_nested():
                known["database identity"] = connection.scalar(_IDENTITY)
        except DBAPIError:
            known["database identity"] = connection.scalar(_LESSER_IDENTITY)
    return f"{deployment.name} on {known['database identity']}"


def is_own(mine: str) -> ColumnElement[bool]:
    """The messages of an origin, and those from before origins were written."""
    return or_(message.c.origin.is_(None), message.c.origin == mine)


def is_foreign(mine: str) -> ColumnElement[bool]:
    return message.c.origin != mine
