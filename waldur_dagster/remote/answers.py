"""What the visits of a run have brought, kept until a whole remote can be judged, and merged remote by remote.

Only then it shows whether a remote has suddenly lost most of what is known of it (``losses``). The items of a remote
are merged together, so statements do not grow with them; where that fails, one by one, so that only the bad one is left
out.
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

    by_remote: dict[Remote, list[tuple[Item, Fetched]]] = field(default_factory=dict)

    def note(self, _: Work, item: Item, fetched: Fetched) -> None:
        """As the merge of a visit: keep an answer."""
        remote = item.remote if isinstance(item, Offering) else item.offering.remote
        self.by_remote.setdefault(remote, []).append((item, fetched))

    def merge(
        self, transaction: Transactions, merge: Callable[[Work, str, Sequence[tuple[Item, Fetched]]], Any]
    ) -> None:
        """Have ``merge`` (of the work, the remote's name, its answers) write them, in a transaction for each remote."""
        for remote, answers in self.by_remote.items():
            with transaction() as work:
                if not _done_together(work, partial(merge, work, remote.name, answers)):
                    for answer in answers:
                        with isolated(work, str(answer[0])):
                            merge(work, remote.name, [answer])


def _done_together(work: Work, do: Callable[[], Any]) -> bool:
    """Whether it could be done; what was found on the way to a failure is forgotten."""
    before, work.outcome = work.outcome, Outcome()
    try:
        with isolated(work, "") as attempt:
            do()
        if not attempt.problem:
            before.add(work.outcome)
        return not attempt.problem
    finally:
        work.outcome = before
