"""What operators do with messages, and what is forgotten in time. Nothing here waits for a server."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Delete, Engine, Select, Text, Update, cast, delete, func, select, update

from waldur_dagster import commits
from waldur_dagster.deployment import Deployment
from waldur_dagster.deployment_sections import Outbox
from waldur_dagster.outbox.origin import is_foreign, is_own, origin
from waldur_dagster.outbox.tables import CAN_BE_RETRIED, DELIVERED, DROPPED, SENDING, WAITING, message, system

BATCH = 5000


def retry(engine: Engine, keys: Sequence[str] | None = None, *, deployment: Deployment | None = None) -> int:
    """Make messages due now: those named, or all that wait or were given up; of one deployment. Returns how many.

    Outside systems that were left alone are tried again at once.
    """
    values = {"state": WAITING, "attempts": 0, "unknown": 0, "next_attempt": func.now(), "finished": None}
    statement = update(message).where(message.c.state.in_(CAN_BE_RETRIED)).values(**values)
    with engine.begin() as connection:
        if keys is not None:
            statement = statement.where(message.c.key.in_(keys))
        if deployment is not None:
            statement = statement.where(is_own(origin(connection, deployment)))
        connection.execute(delete(system))
        return connection.execute(statement).rowcount


def drop(engine: Engine, keys: Sequence[str]) -> int:
    """Never send these messages, again in the case of one that is just being sent. Returns how many."""
    open_states = (*CAN_BE_RETRIED, SENDING)
    statement = update(message).where(message.c.state.in_(open_states), message.c.key.in_(keys))
    with engine.begin() as connection:
        return connection.execute(statement.values(state=DROPPED, finished=func.now())).rowcount


def unknown_keys(engine: Engine, keys: Sequence[str]) -> list[str]:
    """Those of the keys that no message has."""
    with engine.connect() as connection:
        known = set(connection.scalars(select(message.c.key).where(message.c.key.in_(keys))))
    return [key for key in keys if key not in known]


def adopt(engine: Engine, deployment: Deployment, *, unowned_only: bool = False) -> int:
    """Make the waiting messages of other deployments and databases this one's own. Returns how many."""
    with engine.begin() as connection:
        mine = origin(connection, deployment)
        theirs = message.c.origin.is_(None) if unowned_only else is_foreign(mine)
        statement = update(message).where(theirs, message.c.state.in_((*CAN_BE_RETRIED, SENDING)))
        return connection.execute(statement.values(origin=mine)).rowcount


def forget(engine: Engine, options: Outbox) -> int:
    """Delete what delivered and dropped messages said, and later their keys too, in batches. Returns how many rows.

    Marks of old commits go with them.
    """
    texts, keys = _to_forget(options)
    with engine.begin() as connection:
        commits.forget_old(connection)
    emptied = update(message).values(payload={}, last_error=None)
    return _in_batches(engine, emptied, texts) + _in_batches(engine, delete(message), keys)


def is_anything_to_forget(engine: Engine, options: Outbox) -> bool:
    with engine.connect() as connection:
        return any(connection.scalar(select(old.exists())) for old in _to_forget(options))


def _to_forget(options: Outbox) -> tuple[Select[tuple[int]], Select[tuple[int]]]:
    """Which messages are to lose their text, and which are to go."""
    over = select(message.c.id).where(message.c.state.in_((DELIVERED, DROPPED)))
    texts = message.c.finished < func.now() - timedelta(days=options.keep_days)
    keys = message.c.finished < func.now() - timedelta(days=options.keep_keys_days)
    return over.where(texts, cast(message.c.payload, Text) != "{}"), over.where(keys)


def _in_batches(engine: Engine, statement: Update | Delete, chosen: Select[tuple[int]]) -> int:
    """Short transactions, so that nobody waits for them."""
    whole, count = 0, BATCH
    while count == BATCH:
        with engine.begin() as connection:
            batch = chosen.limit(BATCH).with_for_update(skip_locked=True)
            count = connection.execute(statement.where(message.c.id.in_(batch))).rowcount
        whole += count
    return whole
