"""Engines of tests, which share what they have compiled.

A test makes some engines, all for the same few statements; compiling those again takes a third of the suite's time.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.util import LRUCache

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
