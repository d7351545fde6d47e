"""What engines that run scripts in containers have in common."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from tenacity import Retrying, retry_if_result, stop_after_delay, stop_when_event_set
from tenacity.nap import sleep_using_event
from tenacity.wait import wait_exponential

T = TypeVar("T")
LONGEST_PAUSE = 5.0  # seconds between two looks at a running script


class EngineFailed(Exception):
    """The engine could not run a script, which is not the script's fault: no image, a refusal, a broken answer."""


class EngineUnreachable(EngineFailed):
    """The engine does not answer at all, so there is no use in asking it for more."""


class ScriptFailed(Exception):
    """A script ended with an error, took too long or printed too much; the text is what its resource shows."""


@dataclass(frozen=True)
class Script:
    """A script with all that it is run with. ``environment`` may hold secrets: it is never shown.

    ``key`` tells it from others, in letters and digits.
    """

    key: str
    image: str
    command: str
    source: str
    environment: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Limits:
    """What one script may use: seconds, bytes of output, MiB of memory, cores."""

    time: float
    output: int
    memory: int
    cpus: float


class Patience:
    """Waits for scripts: with pauses that grow, up to a time limit, and not after ``end``."""

    def __init__(self) -> None:
        self._ended = threading.Event()

    def until(self, look: Callable[[], T | None], seconds: float) -> T | None:
        """What ``look`` returns at last; None when the time is up. Raises EngineFailed after ``end``."""
        growing = wait_exponential(multiplier=0.1, exp_base=1.5, max=LONGEST_PAUSE)
        attempts = Retrying(
            retry=retry_if_result(lambda found: found is None),
            stop=stop_after_delay(seconds) | stop_when_event_set(self._ended),
            wait=lambda state: min(growing(state), max(0.01, seconds - (state.seconds_since_start or 0))),
            sleep=sleep_using_event(self._ended),
            retry_error_callback=lambda _: None,
        )
        found = attempts(look)
        if found is None and self._ended.is_set():
            raise EngineFailed("the run was stopped before the script had ended")
        return found

    def end(self) -> None:
        self._ended.set()


class Engine(ABC):
    """Runs scripts, several at once from several threads; ``_client`` is the library's, with a way to close it."""

    _client: Any

    def __init__(self, limits: Limits):
        self._limits = limits
        self._patience = Patience()

    @abstractmethod
    def run(self, script: Script) -> str:
        """What the script printed. Raises ScriptFailed and EngineFailed."""

    def stop(self) -> None:
        """End the scripts that are still running; they raise EngineFailed in their threads."""
        self._patience.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()


def as_text(output: bytes, limit: int) -> str:
    """Output of a script as text. Raises ScriptFailed when it is longer than ``limit`` bytes, or not UTF-8."""
    if len(output) > limit:
        raise ScriptFailed(f"the script printed more than {limit} bytes")
    try:
        return output.decode()
    except UnicodeDecodeError as error:
        raise ScriptFailed(f"the script's output is not UTF-8: {error}") from None
