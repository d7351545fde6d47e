"""Two and three processes at once: what they leave is what they would leave one after the other."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable, Sequence

from tests.chaos.launcher import Ended, Launcher
from tests.chaos.places import Place
from tests.chaos.trials import Usual

# All of them are held here until the last one has come so far.
START = 12
BEING_DONE = "is being done by another run"


def together(
    launchers: Sequence[Launcher], place: Place, names: Sequence[str], in_order: Callable[..., Usual]
) -> list[str]:
    """Make runs at once; ``in_order`` gives what entries leave one after the other. Returns what was wrong."""
    with place.copied() as copy:
        running = list(zip(names, launchers, strict=False))
        for number, (name, launcher) in enumerate(running):
            launcher.start(copy.order(name, at=START, signal=signal.SIGSTOP, number=number))
        held = [launcher.wait() for _, launcher in running]
        for _, launcher in running:
            launcher.go_on()
        ended = [
            launcher.wait() if one.status is None else one for (_, launcher), one in zip(running, held, strict=True)
        ]
        told = [f"{name}: {one.problem}" for name, one in zip(names, ended, strict=True) if _fell(one, names, name)]
        if told:
            return told
        worked = [name for name, one in zip(names, ended, strict=True) if BEING_DONE not in one.log]
        found: list[str] = []
        for order in sorted(set(itertools.permutations(worked))):
            found = in_order(*order).missed(copy)
            if not found:
                return []
        return found


def _fell(ended: Ended, names: Sequence[str], name: str) -> bool:
    turned_away = BEING_DONE in ended.log and names.count(name) > 1
    return ended.status != 0 and not turned_away
