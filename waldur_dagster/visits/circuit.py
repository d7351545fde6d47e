"""When a system is not asked any more: the same for items of a run, and for the parts of one item."""

from __future__ import annotations

from dataclasses import dataclass

from waldur_dagster.clients.failures import LoginRefused, SystemFailed, VisitFailed

DOWN_AFTER = 3  # things in a row that a system did not answer for


@dataclass
class Circuit:
    """An answer closes it, of whatever kind; silence, or a login that is refused, opens it."""

    silent: int = 0

    def note(self, problem: VisitFailed | None) -> bool:
        """What became of one thing, None being well; says whether the rest is not to be tried."""
        self.silent = self.silent + 1 if isinstance(problem, SystemFailed) else 0
        return isinstance(problem, LoginRefused) or self.silent >= DOWN_AFTER
