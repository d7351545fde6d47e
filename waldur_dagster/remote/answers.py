"""What the visits of a run have brought, kept until a whole remote can be judged, and merged remote by remote.

Only then it shows whether a remote has suddenly lost most of what is known of it (``losses``). The items of a remote
are merged together, so statements do not grow with them. Where that fails, each is tried by itself first, so that only
those that cannot be merged are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from waldur_dagster.outcome import Outcome
from waldur_dagster.platform.isolation import isolated
from waldur_dagster.remote.remotes import Offering, Remote, Resource
from waldur_dagster.site import Transactions
from waldur_dagster.work import Work

Item = TypeVar("Item", Offering, Resource)
Fetched = TypeVar("Fetched")


@dataclass
class Answers(Generic[Item, Fetched]):
    """By remote, each item with what was fetched of it."""

    by_remote: dict[Remote, dict[Item, Fetched]] = field(default_factory=dict)

    def note(self, _: Work, item: Item, fetched: Fetched) -> None:
        """As the merge of a visit: keep an answer."""
        remote = item.remote if isinstance(item, Offering) else item.offering.remote
        self.by_remote.setdefault(remote, {})[item] = fetched

    def merge(
        self, transaction: Transactions, merge: Callable[[Work, str, Sequence[tuple[Item, Fetched]]], Any]
    ) -> None:
        """Have ``merge`` (of the work, the remote's name, its answers) write them, in a transaction for each remote."""

        def write(work: Work, remote: Remote) -> None:
            merge_good(work, remote.name, list(self.by_remote[remote].items()), merge)

        for remote in self.by_remote:
            transaction.do(partial(write, remote=remote))


def merge_good(
    work: Work,
    remote: str,
    answers: Sequence[tuple[Any, Any]],
    merge: Callable[[Work, str, Sequence[tuple[Any, Any]]], Any],
) -> list[tuple[Any, str]]:
    """Merge all that can be merged, together; each that cannot is reported as failed. Returns these, with why."""
    with isolated(work, remote, tell=False) as attempt:
        merge(work, remote, answers)
    if not attempt.problem:
        return []
    tried = [(answer, _problem_of(work, remote, answer, merge)) for answer in answers]
    good = [answer for answer, problem in tried if not problem]
    with isolated(work, remote) as attempt:
        merge(work, remote, good)
    return [(answer[0], problem or attempt.problem) for answer, problem in tried if problem or attempt.problem]


def _problem_of(
    work: Work,
    remote: str,
    answer: tuple[Any, Any],
    merge: Callable[[Work, str, Sequence[tuple[Any, Any]]], Any],
) -> str:
    """Why an item cannot be merged by itself, which is taken back and reported; '' if it can."""
    before, work.outcome = work.outcome, Outcome()
    trial = work.connection.begin_nested()
    with isolated(work, str(answer[0]), tell=False) as attempt:
        merge(work, remote, [answer])
    trial.rollback()
    work.outcome = before
    if attempt.problem:
        work.outcome.fail(str(answer[0]), attempt.problem)
    return attempt.problem
