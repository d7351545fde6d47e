"""Result stores as Celery's workers fill them: in a folder, and in a real Redis where one is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import redis
from celery import Celery
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from tests.mail_server import free_port

REDIS_SERVER = shutil.which("redis-server")


@contextmanager
def folder_store(states: Mapping[str, str]) -> Iterator[str]:
    """The URL of a store in a folder that knows these tasks."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"file://{folder}"
        fill(url, states)
        yield url


@contextmanager
def redis_store(password: str = "") -> Iterator[str]:
    """The URL of an empty store in a Redis server that lives as long as the block."""
    assert REDIS_SERVER is not None
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        options = {"bind": "127.0.0.1", "port": port, "save": "", "dir": folder} | (
            {"requirepass": password} if password else {}
        )
        settings = Path(folder) / "redis.conf"
        settings.write_text("".join(f'{name} "{value}"\n' for name, value in options.items()))
        # Of the time it only counts what passes, and under libfaketime (`make test-at`) it does not start.
        environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        server = subprocess.Popen([REDIS_SERVER, settings], stdout=subprocess.DEVNULL, env=environment)
        url = f"redis://:{password}@127.0.0.1:{port}/0" if password else f"redis://127.0.0.1:{port}/0"
        try:
            for attempt in Retrying(
                stop=stop_after_delay(20), wait=wait_fixed(0.05), retry=retry_if_exception_type(redis.ConnectionError)
            ):
                with attempt, closing(redis.Redis.from_url(url)) as client:
                    client.ping()
            yield url
        finally:
            server.terminate()
            server.wait()


def fill(url: str, states: Mapping[str, str]) -> None:
    """Leave results in a store as workers do."""
    with Celery(backend=url, set_as_current=False) as app:
        for task_id, state in states.items():
            app.backend.store_result(task_id, RuntimeError("it failed") if state == "FAILURE" else None, state)
