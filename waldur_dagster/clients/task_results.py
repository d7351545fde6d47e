"""The store in which Waldur's Celery workers leave the results of their tasks; it is only read."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Self
from urllib.parse import urlsplit

from celery import Celery
from celery.backends.base import BaseKeyValueStoreBackend
from celery.exceptions import ImproperlyConfigured
from pydantic import SecretStr

FINISHED = frozenset({"SUCCESS", "FAILURE", "REVOKED"})
UNKNOWN = "PENDING"
CONNECT_TIMEOUT, ANSWER_TIMEOUT = 5.0, 20.0


class ResultStoreUnusable(Exception):
    """No store is configured, or it does not answer; the text never holds its address, which may hold a password."""


class TaskResults:
    """States of tasks by their ids, read from any store that Celery's client knows by its URL.

    Raises ResultStoreUnusable for a URL that is none. The connection is made when the first question is asked.
    """

    def __init__(self, url: SecretStr):
        if problem := unusable(url):
            raise ResultStoreUnusable(f"[celery] result_store_url {problem}")
        self._app = Celery(backend=url.get_secret_value(), set_as_current=False)
        self._app.conf.update(
            redis_socket_connect_timeout=CONNECT_TIMEOUT,
            redis_socket_timeout=ANSWER_TIMEOUT,
            redis_retry_on_timeout=False,
            result_backend_always_retry=False,
        )

    def states(self, task_ids: Collection[str]) -> dict[str, str]:
        """The state of each task, Celery's words; PENDING for one that the store does not know, or no longer.

        Stores of keys and values, Redis among them, are asked once for all. Raises ResultStoreUnusable.
        """
        if not task_ids:
            return {}
        ids = sorted(task_ids)
        try:
            backend: Any = self._app.backend
            if isinstance(backend, BaseKeyValueStoreBackend):
                answers = backend.mget([backend.get_key_for_task(task_id) for task_id in ids])
                return {task_id: _state(backend, answer) for task_id, answer in zip(ids, answers, strict=True)}
            return {task_id: str(backend.get_task_meta(task_id, cache=False)["status"]) for task_id in ids}
        except Exception as error:  # each kind of store raises what its library raises
            raise ResultStoreUnusable(f"Celery's result store does not answer: {type(error).__name__}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._app.close()


def unusable(url: SecretStr) -> str | None:
    """What is wrong with the URL of a result store, without the URL."""
    value = url.get_secret_value()
    if urlsplit(value).scheme == "rpc":
        return "is rpc://, which tells results only to the program that asked for the task; use Redis or a database"
    try:
        _ = Celery(backend=value, set_as_current=False).backend
    except (ImproperlyConfigured, ImportError, ValueError) as error:
        return f"names no result store that can be used here ({type(error).__name__}); write redis://host:6379/0"
    return None


def _state(backend: Any, answer: Any) -> str:
    """The state that a stored result tells; what cannot be read counts as unknown, so its row is left alone."""
    if not answer:
        return UNKNOWN
    try:
        return str(backend.decode_result(answer)["status"])
    except Exception:  # one broken value must not stop the others
        return UNKNOWN
