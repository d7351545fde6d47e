"""Engines of tests, which share what they have compiled, and what they know of tables.

A test makes some engines, all for the same few statements; compiling those again takes a third of the suite's time, and
reading the same tables again a tenth.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Engine, Row, create_engine, text
from sqlalchemy.util import LRUCache

from waldur_dagster.database.site_schema import SiteColumn, SiteSchema

STATEMENTS = 3000

_compiled: LRUCache[Any, Any] = LRUCache(STATEMENTS)
_dialects: dict[str, Any] = {}


def sharing_engine(url: Any, **options: Any) -> Engine:
    """As ``create_engine`` does, for engines without options of the dialect.

    What is compiled is kept by dialect, and by engine; here both are the same for all engines of a driver.
    """
    engine = create_engine(url, **options)
    engine.dialect = _dialects.setdefault(engine.dialect.driver, engine.dialect)
    engine._compiled_cache = _compiled
    return engine


# Which transaction of a server has changed the catalog last: a copy of a template has it of its template.
_STATE = text(
    """
    SELECT count(*), max(xmin::text::bigint), (SELECT max(xmin::text::bigint) FROM pg_class),
           (SELECT max(xmin::text::bigint) FROM pg_index), (SELECT system_identifier FROM pg_control_system())
    FROM pg_attribute
    """
)
_known: dict[Row[Any], dict[str, dict[str, SiteColumn]]] = {}


def _tables(schema: SiteSchema) -> dict[str, dict[str, SiteColumn]]:
    database = schema._database
    with nullcontext(database) if isinstance(database, Connection) else database.connect() as connection:
        state = connection.execute(_STATE).one()
    if state not in _known:
        _known[state] = _read(schema)
    return _known[state]


_read = SiteSchema.__dict__["tables"].func
sharing_tables = cached_property(_tables)
sharing_tables.__set_name__(SiteSchema, "tables")
