"""Clients that are closed at the end of a ``with`` block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self


class Closing(ABC):
    """What holds connections until ``close`` is called; a ``with`` block gives the thing itself, and closes it."""

    @abstractmethod
    def close(self) -> None:
        """Give the connections back. May be called again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
