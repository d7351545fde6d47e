"""The telemetry server of Waldur's makers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from waldur_dagster.clients import http
from waldur_dagster.words import in_words

TIMEOUT = 30.0  # seconds


def send(url: str, figures: Mapping[str, Any]) -> str | None:
    """POST the figures, once. Returns what went wrong, None when the server took them."""
    try:
        answer = http.post(url, seconds=TIMEOUT, read=0, json=dict(figures))
    except http.CallFailed as problem:
        return in_words(f"{url} could not be reached: {problem}")
    return None if answer.status == 200 else in_words(f"{url} answered {answer.status}")
