"""What is visited, and what the code that visits it is given."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

Facts = TypeVar("Facts")
T = TypeVar("T")


@dataclass(frozen=True)
class Stop(Generic[Facts]):
    """One item to visit. ``system`` and ``item`` name them in findings.

    Items of the same system share its clients, its bound of how many are fetched at once, and its circuit. ``facts``
    are what the site knows of the item: plain values, few enough that all stops fit into memory.
    """

    system: str
    item: str
    facts: Facts


@dataclass
class Clients:
    """The clients of one system: one, and so one login, for each set of credentials, made at first use."""

    _made: dict[Hashable, Any] = field(default_factory=dict)
    _locks: dict[Hashable, threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, credentials: Hashable, make: Callable[[], T]) -> T:
        """The client for ``credentials``; a failure to make it is kept too, so that nobody knocks again."""
        with self._lock:
            own = self._locks.setdefault(credentials, threading.Lock())
        with own:
            if credentials not in self._made:
                try:
                    self._made[credentials] = make()
                except Exception as problem:
                    self._made[credentials] = problem
        made = self._made[credentials]
        if isinstance(made, Exception):
            raise made
        return made

    def close(self) -> None:
        for made in self._made.values():
            with suppress(Exception):  # a system that has gone need not be told good-bye
                getattr(made, "close", lambda: None)()


@dataclass
class Visit:
    """What the code that fetches one item is given; it runs in a thread of its own and never sees the database."""

    clients: Clients
    dry_run: bool
    changes: list[str] = field(default_factory=list)

    def client(self, credentials: Hashable, make: Callable[[], T]) -> T:
        """One client, and so one login, for each set of credentials of a system; it is closed at the end."""
        return self.clients.client(credentials, make)

    def change(self, words: str, do: Callable[[], T]) -> T | None:
        """Change something in the outside system. A dry run only lists it (``words``) and gives None."""
        result = None if self.dry_run else do()
        self.changes.append(words)
        return result
