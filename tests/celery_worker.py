"""A worker of Celery, as Waldur's are, that notes the orders that it is given."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROCESS_ORDER = "waldur_mastermind.marketplace.tasks.process_order"
APP = """
import sys

from celery import Celery
from kombu import Exchange, Queue

URL, NOTES, QUORUM = {arguments!r}
app = Celery(broker=URL)
if QUORUM:  # as newer versions of Waldur configure it
    app.conf.task_default_queue = "tasks-durable"
    app.conf.task_create_missing_queues = False
    app.conf.task_queues = [
        Queue(name, Exchange(name, type="topic"), routing_key=name, queue_arguments={{"x-queue-type": "quorum"}})
        for name in ("tasks-durable", "heavy-durable", "background-durable")
    ]
else:
    app.conf.task_default_queue = "tasks"


@app.task(name={name!r})
def process_order(serialized_order, serialized_user):
    with open(NOTES, "a") as file:
        print(serialized_order, serialized_user, file=file)
"""


@contextmanager
def celery_worker(url: str, folder: Path, *, quorum: bool = False) -> Iterator[Path]:
    """Works as long as the block; gives the file in which each order is a line with the order and its author."""
    notes = folder / "notes"
    (folder / "worker_app.py").write_text(APP.format(arguments=(url, str(notes), quorum), name=PROCESS_ORDER))
    command = [sys.executable, "-m", "celery", "-A", "worker_app", "worker", "--pool=solo", "--loglevel=ERROR"]
    worker = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield notes
    finally:
        worker.terminate()
        worker.wait(20)
