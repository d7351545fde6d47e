"""What loopback servers hold beside a scene's database: put back for each trial, and compared at its end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.rows import UUID


@dataclass
class Outside:
    """The servers of a scene. ``environment`` is what runs are given beside their deployment file."""

    environment: dict[str, str] = field(default_factory=dict)
    _kept: list[tuple[Any, str, Callable[[Any], Sequence[Any]]]] = field(default_factory=list)
    _first: list[Any] = field(default_factory=list)

    def keep(self, server: Any, name: str, show: Callable[[Any], Sequence[Any]] = lambda held: [held]) -> None:
        """An attribute of a server; ``show`` gives what of it is compared, thing by thing."""
        self._kept.append((server, name, show))

    def begin(self) -> None:
        """What they hold now is what every trial begins with."""
        self._first = [deepcopy(getattr(server, name)) for server, name, _ in self._kept]

    def put_back(self) -> None:
        for (server, name, _), first in zip(self._kept, self._first, strict=False):
            setattr(server, name, deepcopy(first))

    def shown(self) -> Counter[str]:
        """All things that they hold; two that are the same count twice. Uuids and the order of lists do not count."""
        return Counter(
            f"{type(server).__name__} {json.dumps(_ordered(thing), default=str)}"
            for server, name, show in self._kept
            for thing in show(getattr(server, name))
        )


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {_ordered(key): _ordered(part) for key, part in sorted(value.items(), key=lambda item: str(item[0]))}
    if isinstance(value, list | tuple):
        return sorted((_ordered(part) for part in value), key=lambda part: json.dumps(part, default=str))
    return UUID.sub("#", value) if isinstance(value, str) else value
