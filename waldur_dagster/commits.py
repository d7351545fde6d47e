"""Marks by which a COMMIT that was lost with its connection is told from one that was never done.

PostgreSQL's own word for a transaction (``txid_status``) is not enough: after a crash the numbers of transactions of
which nothing was on the disk yet are given to others.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

from sqlalchemy import Column, Connection, DateTime, Table, Text, Uuid, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from waldur_dagster.own_schema import metadata

last_commit = Table(
    "last_commit",
    metadata,
    Column("entry", Text, primary_key=True),
    Column("mark", Uuid, comment="of the transaction that an entry's runs committed last"),
    Column("made", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
# Whoever asks does so within a minute.
KEPT = timedelta(days=1)

_NEW = insert(last_commit).from_select(
    ["entry", "mark"],
    select(bindparam("name", type_=Text), bindparam("new", type_=Uuid)).where(
        func.txid_current_if_assigned().is_not(None)
    ),
)
_MARK = _NEW.on_conflict_do_update(
    index_elements=["entry"], set_={"mark": _NEW.excluded.mark, "made": func.now()}
).returning(last_commit.c.mark)
# It writes, so that it waits for a transaction that has written here and whose COMMIT is under way.
_LAST = (
    insert(last_commit)
    .values(entry=bindparam("name"))
    .on_conflict_do_update(index_elements=["entry"], set_={"entry": bindparam("name")})
    .returning(last_commit.c.mark)
)


def mark(connection: Connection, entry: str) -> uuid.UUID | None:
    """Mark the open transaction, whose COMMIT is next; None when it has written nothing."""
    found: uuid.UUID | None = connection.scalar(_MARK, {"name": entry, "new": uuid.uuid4()})
    return found


def is_committed(connection: Connection, entry: str, mark: uuid.UUID) -> bool:
    """Whether that transaction was the last that was committed for the entry; one that is about to be is waited for.

    Raises OperationalError when that takes longer than the session's ``lock_timeout``.
    """
    return bool(connection.scalar(_LAST, {"name": entry}) == mark)


def forget_old(connection: Connection) -> None:
    """Delete the marks that nobody asks for any more: alerts have one for each event."""
    connection.execute(delete(last_commit).where(last_commit.c.made < func.now() - KEPT))
