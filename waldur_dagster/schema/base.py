"""What all tables of the schema are made with.

Waldur's foreign keys are deferred and have no ON DELETE action: Waldur's code cascades. The rule of each key is kept
in ``Column.info["on_delete"]``. A key to a table that no job uses yet is left out, its column is there.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from sqlalchemy import Column, Connection, ForeignKey, Identity, Integer, MetaData
from sqlalchemy.types import TypeEngine

metadata = MetaData()


class OnDelete(Enum):
    """What Waldur does with a row when the row that it refers to is deleted."""

    CASCADE = "cascade"
    SET_NULL = "set_null"
    PROTECT = "protect"
    DO_NOTHING = "do_nothing"


def identity(name: str = "id", type_: TypeEngine[Any] | None = None) -> Column[Any]:
    """A key that the database assigns (spec core 1.2)."""
    return Column(name, type_ or Integer(), Identity(always=False), primary_key=True)


def references(target: str, on_delete: OnDelete, *, name: str) -> ForeignKey:
    return ForeignKey(target, name=name, deferrable=True, initially="DEFERRED", info={"on_delete": on_delete})


def create_all(connection: Connection) -> None:
    """Make the tables that are missing, for the demo site and tests; a real site has Waldur's own migrations."""
    metadata.create_all(connection)
