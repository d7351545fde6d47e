"""Runs that are killed at one of their statements, and made again: nothing is lost and nothing doubled."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from tests.chaos.launcher import Launcher
from tests.chaos.places import Place
from tests.chaos.trials import Usual, chosen, usual


def kills(launcher: Launcher, place: Place, name: str, most: int | None) -> Iterator[list[str]]:
    """Kill runs of an entry, each at another point; gives what was wrong after the next run of each."""
    undisturbed = usual(launcher, place, name)
    for at in chosen(undisturbed.points, most):
        yield [
            f"{name} killed at {at} ({undisturbed.points[at - 1]}): {one}"
            for one in kill(launcher, place, name, at, undisturbed)
        ]


def kill(launcher: Launcher, place: Place, name: str, at: int, undisturbed: Usual) -> list[str]:
    with place.copied() as copy:
        ended = launcher.run(copy.order(name, at=at))
        if ended.status != -signal.SIGKILL:
            return [] if ended.status == 0 else [f"was not killed and ended with {ended.status}: {ended.problem}"]
        copy.settle()
        again = launcher.run(copy.order(name, again=True))
        if again.status != undisturbed.runs[0].status:
            return [f"the next run ended with {again.status}: {again.problem}"]
        return undisturbed.missed(copy)
