"""What all plain HTTP clients share: a time limit, and bounded retries of what may pass."""

from __future__ import annotations

from typing import Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, retry_if_result, stop_after_attempt
from tenacity.wait import wait_exponential

TIMEOUT = 20.0  # seconds, for each attempt
ATTEMPTS = 3
LONGEST_PAUSE = 10.0  # seconds
PASSING = frozenset({429, 500, 502, 503, 504})


def request(client: httpx.Client, method: str, url: str, **options: Any) -> httpx.Response:
    """Ask, and ask again when the server cannot be reached or says that it is busy; honours ``Retry-After``.

    The last answer is returned, whatever it is. A time-out is not tried again here: the server may have done it.
    Raises httpx.HTTPError when there is no answer.
    """
    attempts = Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=_pause,
        retry=retry_if_exception_type(httpx.ConnectError) | retry_if_result(lambda r: r.status_code in PASSING),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    answer: httpx.Response = attempts(client.request, method, url, **options)
    return answer


def _pause(state: RetryCallState) -> float:
    """What the server asks for, in seconds, but not for ever; else a short pause that grows."""
    if state.outcome is not None and not state.outcome.failed:
        wanted = state.outcome.result().headers.get("Retry-After", "")
        if wanted.isdigit():
            return min(float(wanted), LONGEST_PAUSE)
    return float(wait_exponential(multiplier=0.2, max=LONGEST_PAUSE)(state))
