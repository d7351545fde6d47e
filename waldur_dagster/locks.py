"""Advisory locks on the site's database: who is at work there is told by them, since they end with their process."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from sqlalchemy import Connection, text

# The first half of the pair that PostgreSQL's advisory locks take; the second is made of a name.
ENTRIES, RUNS = 0x57414C44, 0x57414C52


def try_lock(connection: Connection, space: int, name: str) -> bool:
    """Take the lock for the rest of the session; False when another session has it."""
    found = connection.scalar(
        text("SELECT pg_try_advisory_lock(:space, :key)"), {"space": space, "key": _key(name) - 2**31}
    )
    return bool(found)


def release_all(connection: Connection) -> None:
    """Free all locks of the session at once: those of one that only disconnects are held for a moment longer."""
    connection.execute(text("SELECT pg_advisory_unlock_all()"))


def held(connection: Connection, space: int, names: Iterable[str]) -> set[str]:
    """Those of ``names`` whose lock a session of this database has."""
    of_database = text(
        "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2 "
        "AND classid::bigint = :space AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    taken = {int(key) for key in connection.scalars(of_database, {"space": space})}
    return {name for name in names if (_key(name) - 2**31) % 2**32 in taken}


def _key(name: str) -> int:
    return zlib.crc32(name.encode())
