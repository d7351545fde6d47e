"""FirecREST, version 1: a cluster's web interface, of which a person's own jobs are asked (spec people).

By httpx and not by pyfirecrest, which asks for tasks in another way than Waldur does (``tasks?tasks=ID``), sleeps for
as long as a rate limit says, without bound, and reads one page only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from waldur_dagster.clients import patience
from waldur_dagster.clients.closing import Closing
from waldur_dagster.clients.failures import ItemFailed, VisitFailed
from waldur_dagster.clients.json_api import JsonApi

MACHINE = "cluster"
PAGE = 25
MOST_PAGES = 400
PAUSE = 2.0  # seconds between two looks at a task
MOST_LOOKS = 60
DONE, FAILED = "200", "400"


class TokenRefused(ItemFailed):
    """The person's token has expired or is not good for this; that is the person's own affair."""


class TaskFailed(ItemFailed):
    """The cluster could not list the person's jobs."""


@dataclass(frozen=True)
class Job:
    id: str
    name: str
    state: str


class Firecrest(Closing):
    """The interface of one cluster for one person, who is known by a token. A context manager.

    Raises TokenRefused, TaskFailed, ItemFailed or SystemFailed.
    """

    def __init__(self, url: str, token: str):
        headers = {"Authorization": f"Bearer {token}", "X-Machine-Name": MACHINE}
        self._api = JsonApi(url, headers=headers, secrets=[token])

    def pages(self) -> Iterator[list[Job]]:
        """The person's jobs, page by page, until one is not full or has nothing new."""
        seen: set[str] = set()
        for number in range(MOST_PAGES):
            jobs = self._page(number)
            yield jobs
            new = {job.id for job in jobs} - seen
            if not new or len(jobs) < PAGE:
                return
            seen |= new
        raise ItemFailed(f"there are more than {MOST_PAGES} pages of jobs")

    def _page(self, number: int) -> list[Job]:
        task = self._get(f"compute/jobs?pageSize={PAGE}&pageNumber={number}").get("task_id")
        if not isinstance(task, str) or not task:
            raise ItemFailed("the answer names no task (task_id)")
        return [_job(entry) for entry in self._result(task)]

    def _result(self, task_id: str) -> list[Any]:
        """The entries that a task brings; newer versions number them."""
        for look in range(MOST_LOOKS):
            if look:
                patience.pause(PAUSE)
            task = self._get(f"tasks/{task_id}").get("task")
            if not isinstance(task, dict) or "status" not in task:
                raise ItemFailed("the answer shows no task")
            status, data = str(task["status"]), task.get("data")
            if status == FAILED:
                raise TaskFailed(f"the cluster could not list the jobs: {str(data)[:200]}")
            if status == DONE:
                entries = list(data.values()) if isinstance(data, dict) else data
                if not isinstance(entries, list):
                    raise ItemFailed("the task is done and has no list of jobs")
                return entries
            if status > FAILED:
                raise ItemFailed(f"the task ended with status {status[:20]}")
        raise ItemFailed(f"the task was not done after {MOST_LOOKS} looks at it")

    def _get(self, path: str) -> dict[str, Any]:
        try:
            answer = self._api.get(path)
        except VisitFailed as problem:
            if problem.status in {401, 403}:
                raise TokenRefused(str(problem)) from None
            raise
        if not isinstance(answer, dict):
            raise ItemFailed("the answer is no JSON object")
        return answer

    def close(self) -> None:
        self._api.close()


def _job(entry: Any) -> Job:
    try:
        return Job(str(entry["jobid"]), str(entry["name"]), str(entry["state"]))
    except (KeyError, TypeError):
        raise ItemFailed("a job on the list has no jobid, name or state") from None
