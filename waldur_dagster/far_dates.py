"""Dates that PostgreSQL knows and Python does not: infinity, -infinity, before the year 1 and after the year 9999.

One such date in a row that a query reads would end the query for all rows. Here they are read as the nearest date that
can still be written in every time zone: what is compared with them comes out as PostgreSQL would have it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Engine, event

FIRST_DATE, LAST_DATE = date.min + timedelta(1), date.max - timedelta(1)
FIRST_TIME = datetime.min.replace(tzinfo=UTC) + timedelta(1)
LAST_TIME = datetime.max.replace(tzinfo=UTC, microsecond=0) - timedelta(1)

Moment = TypeVar("Moment", date, datetime)


def read_far_dates(engine: Engine) -> None:
    """Let all connections of an engine read such dates."""
    event.listen(engine, "connect", _register)


def _register(connection: Any, _: Any) -> None:
    for kind, loader in _loaders().items():
        connection.adapters.register_loader(kind, loader)


def _loaders() -> dict[str, Any]:
    from psycopg.types.datetime import DateLoader, TimestampLoader, TimestamptzLoader

    naive = FIRST_TIME.replace(tzinfo=None), LAST_TIME.replace(tzinfo=None)
    return {
        "date": _far(DateLoader, FIRST_DATE, LAST_DATE),
        "timestamp": _far(TimestampLoader, *naive),
        "timestamptz": _far(TimestamptzLoader, FIRST_TIME, LAST_TIME),
    }


def _far(loader: Any, first: Moment, last: Moment) -> Any:
    """A loader of psycopg's that gives ``first`` or ``last`` for what lies before or after them."""
    import psycopg

    class FarLoader(loader):
        def load(self, data: Any) -> Moment:
            try:
                found: Moment = super().load(data)
            except psycopg.DataError:
                said = bytes(data)
                return first if said.startswith(b"-") or said.endswith(b"BC") else last
            return min(max(found, first), last)

    return FarLoader
