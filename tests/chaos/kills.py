"""Runs that are killed at one of their statements, and made again: nothing is lost and nothing doubled."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from sqlalchemy import select

from tests.chaos.launcher import Launcher
from tests.chaos.places import Copy, Place
from tests.chaos.trials import Usual, chosen, usual
from waldur_dagster.outbox.tables import message


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
        if _is_of_unknown_fate(copy):  # what notes that a message was sent does so when it has come again
            copy.deliver_all()
            again = launcher.run(copy.order(name, again=True))
        if again.status != undisturbed.runs[0].status:
            return [f"the next run ended with {again.status}: {again.problem}"]
        return undisturbed.missed(copy)


def _is_of_unknown_fate(copy: Copy) -> bool:
    """Whether a message was just being sent when the run was killed."""
    with copy.engine.connect() as connection:
        return bool(connection.scalar(select(select(message).where(message.c.unknown > 0).exists())))
