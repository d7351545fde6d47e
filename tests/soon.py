"""What must not wait for others: it ends long before they would let it, on a busy machine too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 20.0


@contextmanager
def soon() -> Iterator[None]:
    """Raises AssertionError when the block takes longer."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < SECONDS
