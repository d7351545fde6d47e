"""The telemetry server of Waldur's makers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

TIMEOUT = 30.0  # seconds


def send(url: str, figures: Mapping[str, Any]) -> str | None:
    """POST the figures, once. Returns what went wrong, None when the server took them."""
    try:
        answer = httpx.post(url, json=dict(figures), timeout=TIMEOUT)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{url} could not be reached: {type(error).__name__}"
    return None if answer.status_code == httpx.codes.OK else f"{url} answered {answer.status_code}"
