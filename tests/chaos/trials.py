"""What an undisturbed run of an entry leaves, with which every disturbed one is compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tests.chaos.launcher import Ended, Launcher
from tests.chaos.places import Copy, Place
from tests.chaos.rows import Rows, differences


@dataclass(frozen=True)
class Usual:
    """Rows, mails and what outside systems hold after undisturbed runs of some entries, and how each ended."""

    known: Mapping[str, set[int]]
    rows: Rows
    mails: Counter[tuple[str, str]]
    outside: Counter[str]
    runs: tuple[Ended, ...]

    @property
    def points(self) -> list[str]:
        return self.runs[0].points

    def missed(self, copy: Copy) -> list[str]:
        """In what a site that was disturbed, and that had its outbox emptied, differs."""
        copy.deliver_all()
        mails, _ = copy.place.mailed()
        told = [f"mail {what} lost" for what in self.mails - mails] + [
            f"mail {what} besides" for what in mails - self.mails
        ]
        outside = copy.place.scene.outside.shown()
        told += [f"outside lacks {what[:400]}" for what in self.outside - outside]
        told += [f"outside has besides {what[:400]}" for what in outside - self.outside]
        return told + differences(self.rows, copy.rows(self.known))


def usual(launcher: Launcher, place: Place, *names: str) -> Usual:
    """Run entries one after the other on a copy of their own, and send what waits."""
    with place.copied() as copy:
        known = copy.rows().ids
        runs = tuple(launcher.run(copy.order(name)) for name in names)
        copy.deliver_all()
        return Usual(known, copy.rows(known), place.mailed()[0], place.scene.outside.shown(), runs)


def chosen(points: list[str], most: int | None) -> list[int]:
    """Numbers of points, from 1: all of them, or so many, of which half stand at writes and COMMITs."""
    numbers = range(1, len(points) + 1)
    if most is None or len(points) <= most:
        return list(numbers)
    weighty = [n for n in numbers if points[n - 1].startswith(("COMMIT", "INSERT", "UPDATE", "DELETE", "WITH"))]
    return sorted({*_spread(weighty, most - most // 2), *_spread(list(numbers), most // 2)})


def _spread(numbers: list[int], most: int) -> list[int]:
    if len(numbers) <= most:
        return numbers
    return [numbers[round((i + 0.5) * len(numbers) / most - 0.5)] for i in range(most)]
