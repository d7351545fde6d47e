"""The store in which Waldur's Celery workers leave the results of their tasks; it is only read (spec newer 0.3)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

from pydantic import SecretStr
from sqlalchemy import Engine, NullPool, column, create_engine, make_url, select, table
from sqlalchemy.exc import SQLAlchemyError

FINISHED = frozenset({"SUCCESS", "FAILURE", "REVOKED"})
UNKNOWN = "PENDING"
CONNECT_TIMEOUT, ANSWER_TIMEOUT = 5.0, 20.0  # seconds
_DATABASE = "db+"


class ResultStoreUnusable(Exception):
    """No store is configured, or it does not answer; the text never holds its address, which may hold a password."""


class TaskResults(Protocol):
    """A store of results; a context manager. The connection is made when the first question is asked."""

    remembers: timedelta  # how long the store keeps what it was told

    def states(self, task_ids: Collection[str]) -> dict[str, str]:
        """The state of each task, Celery's words; PENDING for one that the store does not know, or no longer.

        Raises ResultStoreUnusable.
        """

    def close(self) -> None: ...


def open_store(url: SecretStr) -> TaskResults:
    """Any store that Celery's client knows by its URL. Raises ResultStoreUnusable for a URL that is none."""
    if problem := unusable(url):
        raise ResultStoreUnusable(f"[celery] result_store_url {problem}")
    value = url.get_secret_value()
    return ResultTable(value) if value.startswith(_DATABASE) else ResultBackend(value)


class ResultTable:
    """The table in a database of its own that Celery's database back end fills; none is made here."""

    remembers = timedelta(hours=1)

    def __init__(self, url: str):
        self._engine = _engine(url)

    def states(self, task_ids: Collection[str]) -> dict[str, str]:
        meta = table("celery_taskmeta", column("task_id"), column("status"))
        asked = select(meta.c.task_id, meta.c.status).where(meta.c.task_id.in_(sorted(task_ids)))
        try:
            with self._engine.connect() as connection:
                known = {row.task_id: row.status for row in connection.execute(asked)} if task_ids else {}
        except SQLAlchemyError as error:
            said = str(getattr(error, "orig", None) or type(error).__name__).strip().splitlines()[0]
            password = self._engine.url.password
            said = said.replace(password, "***") if password else said
            raise ResultStoreUnusable(f"Celery's result store does not answer: {said}") from None
        return {task_id: known.get(task_id) or UNKNOWN for task_id in task_ids}

    def close(self) -> None:
        self._engine.dispose()


class ResultBackend:
    """A store that Celery's own client reads, Redis among them."""

    remembers = timedelta(days=1)

    def __init__(self, url: str):
        self._app = _celery(url)

    def states(self, task_ids: Collection[str]) -> dict[str, str]:
        """Stores of keys and values are asked once for all tasks."""
        if not task_ids:
            return {}
        from celery.backends.base import BaseKeyValueStoreBackend

        ids = sorted(task_ids)
        try:
            backend: Any = self._app.backend
            if isinstance(backend, BaseKeyValueStoreBackend):
                answers = backend.mget([backend.get_key_for_task(task_id) for task_id in ids])
                return {task_id: _state(backend, answer) for task_id, answer in zip(ids, answers, strict=True)}
            return {task_id: str(backend.get_task_meta(task_id, cache=False)["status"]) for task_id in ids}
        except Exception as error:  # each kind of store raises what its library raises
            raise ResultStoreUnusable(f"Celery's result store does not answer: {type(error).__name__}") from None

    def close(self) -> None:
        self._app.close()


def unusable(url: SecretStr) -> str | None:
    """What is wrong with the URL of a result store, without the URL; the store is not asked."""
    value = url.get_secret_value()
    if urlsplit(value).scheme == "rpc":
        return "is rpc://, which tells results only to the program that asked for the task; use Redis or a database"
    try:
        if value.startswith(_DATABASE):
            _engine(value).dispose()
        else:
            _ = _celery(value).backend
    except Exception as error:  # each kind of store raises what its library raises
        return f"names no result store that can be used here ({type(error).__name__}); write redis://host:6379/0"
    return None


def _engine(url: str) -> Engine:
    """In PostgreSQL each transaction is one that cannot write."""
    address = make_url(url.removeprefix(_DATABASE))
    if address.get_backend_name() != "postgresql":
        return create_engine(address, poolclass=NullPool)
    limits = f"-c default_transaction_read_only=on -c statement_timeout={ANSWER_TIMEOUT:g}s"
    connecting = {"connect_timeout": int(CONNECT_TIMEOUT), "options": limits}
    return create_engine(address, poolclass=NullPool, connect_args=connecting)


def _celery(url: str) -> Any:
    from celery import Celery

    app = Celery(backend=url, set_as_current=False)
    app.conf.update(
        redis_socket_connect_timeout=CONNECT_TIMEOUT,
        redis_socket_timeout=ANSWER_TIMEOUT,
        redis_retry_on_timeout=False,
        result_backend_always_retry=False,
    )
    return app


def _state(backend: Any, answer: Any) -> str:
    """The state that a stored result tells; what cannot be read counts as unknown, so its row is left alone."""
    if not answer:
        return UNKNOWN
    try:
        return str(backend.decode_result(answer)["status"])
    except Exception:  # one broken value must not stop the others
        return UNKNOWN
