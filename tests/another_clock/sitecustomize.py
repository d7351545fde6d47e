"""What `make test-at` loads into every Python process: sleeping that works under libfaketime.

libfaketime shifts the monotonic clock too, and then waits for locks with a time limit never end; told to leave that
clock alone it breaks ``time.sleep`` instead, which is mended here.
"""

import select
import time
from typing import SupportsIndex


def sleep(seconds: float | SupportsIndex) -> None:
    """As ``time.sleep``, by a call that libfaketime does not know."""
    select.select([], [], [], float(seconds))


time.sleep = sleep
