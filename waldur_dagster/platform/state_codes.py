"""States that are kept as numbers, with the words that Waldur shows for them (spec marketplace 0.1)."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from sqlalchemy import ColumnElement, Text, case, literal


class Shown(IntEnum):
    """Codes with a word each."""

    @property
    def shown(self) -> str:
        return self.name.capitalize()


class ResourceState(Shown):
    CREATING = 1
    OK = 2
    ERRED = 3
    UPDATING = 4
    TERMINATING = 5
    TERMINATED = 6

    @property
    def shown(self) -> str:
        return "OK" if self is ResourceState.OK else super().shown


def shown(kind: type[Shown], code: ColumnElement[Any]) -> ColumnElement[str]:
    """The word for a code in a column."""
    return case({state.value: literal(state.shown, Text) for state in kind}, value=code, else_="")
