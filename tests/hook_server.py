"""A real web server on loopback that keeps the calls of web hooks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.loopback import serving


@dataclass
class HookServer:
    """``calls``: the JSON bodies, or the fields of forms, in the order in which they came in; ``ids``: their marks."""

    url: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)


@contextmanager
def hook_server(status: int = 200, *, hang: float = 0) -> Iterator[HookServer]:
    """Answers with ``status``, after ``hang`` seconds."""
    kept = HookServer()

    def answer(*, body: dict[str, Any], headers: Any, **_: Any) -> tuple[int, Any]:
        kept.calls.append(body)
        kept.ids.append(headers["webhook-id"])
        time.sleep(hang)
        return status, b""

    with serving({("POST", "/.*"): answer}) as url:
        kept.url = f"{url}/"
        yield kept
