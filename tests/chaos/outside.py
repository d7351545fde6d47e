"""Outside systems that break, each with every fault of a table."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import URL

from tests.chaos.sizes import Size


def all_faults(server_url: URL, size: Size) -> Iterator[list[str]]:
    yield from ()
