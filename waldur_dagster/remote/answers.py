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
        for remote, answers in self.by_remote.items():
            transaction.do(partial(merge_good, remote=remote.name, answers=list(answers.items()), merge=merge))


def merge_good(
    work: Work,
    remote: str,
    answers: Sequence[tuple[Any, Any]],
    merge: Callable[[Work, str, Sequence[tuple[Any, Any]]], Any],
) -> None:
    """Merge all that can be merged, together; each that cannot is reported as failed."""
    with isolated(work, remote, tell=False) as attempt:
        merge(work, remote, answers)
    if attempt.problem:
        good = [answer for answer in answers if _can_be_merged(work, remote, answer, merge)]
        with isolated(work, remote):
            merge(work, remote, good)


def _can_be_merged(
    work: Work,
    remote: str,
    answer: tuple[Any, Any],
    merge: Callable[[Work, str, Sequence[tuple[Any, Any]]], Any],
) -> bool:
    """Whether an item can be merged by itself, which is taken back; one that cannot is reported."""
    before, work.outcome = work.outcome, Outcome()
    trial = work.connection.begin_nested()
    with isolated(work, str(answer[0]), tell=False) as attempt:
        merge(work, remote, [answer])
    trial.rollback()
    work.outcome = before
    if attempt.problem:
        work.outcome.fail(str(answer[0]), attempt.problem)
    return not attempt.problem
