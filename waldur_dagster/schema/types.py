"""SQLAlchemy's types for PostgreSQL's names of them."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Double,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, CIDR, INET, JSONB
from sqlalchemy.types import NullType, TypeEngine

_TYPES: dict[str, type[TypeEngine[Any]]] = {
    "bigint": BigInteger,
    "boolean": Boolean,
    "bytea": LargeBinary,
    "character varying": String,
    "cidr": CIDR,
    "date": Date,
    "double precision": Double,
    "inet": INET,
    "integer": Integer,
    "interval": Interval,
    "jsonb": JSONB,
    "numeric": Numeric,
    "smallint": SmallInteger,
    "text": Text,
    "uuid": Uuid,
}


def type_of(written: str) -> TypeEngine[Any]:
    """The type that PostgreSQL writes so, e.g. ``numeric(22,2)``; NullType for one that Waldur does not use."""
    if written.startswith("timestamp with time zone"):
        return DateTime(timezone=True)
    if written.endswith("[]"):
        return ARRAY(type_of(written.removesuffix("[]")))
    name, *sizes = re.split(r"[(),]+", written.rstrip(")"))
    return _TYPES.get(name, NullType)(*map(int, sizes))
