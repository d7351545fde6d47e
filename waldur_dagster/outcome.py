"""What a unit of work did: the figures and findings that a run shows."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from waldur_dagster.words import without


@dataclass(frozen=True)
class Finding:
    """Something that a person should know about one item: what it is, and what was wrong with it."""

    item: str
    problem: str


def _finding(item: str, problem: str) -> Finding:
    """Findings may quote what an outside system has said, and that may repeat what it was sent."""
    return Finding(without(item), without(problem))


@dataclass
class Outcome:
    """Rows changed by table and kind, what was written to the outbox, and what was found wrong.

    ``warnings`` are oddities of the site's own data that were stepped over; ``failures`` are items whose work could
    not be done: a run with failures ends as failed after everything else is done.
    """

    rows: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    figures: Counter[str] = field(default_factory=Counter)
    warnings: list[Finding] = field(default_factory=list)
    failures: list[Finding] = field(default_factory=list)

    def changed(self, table: str, kind: str, count: int) -> None:
        """Count rows of a table that were ``inserted``, ``updated`` or ``deleted``."""
        if count > 0:
            self.rows[table][kind] += count

    def warn(self, item: str, problem: str) -> None:
        self.warnings.append(_finding(item, problem))

    def fail(self, item: str, problem: str) -> None:
        self.failures.append(_finding(item, problem))

    def add(self, other: Outcome) -> None:
        """Take in what another unit of work of the same run did; what it found as well is told once."""
        for table, kinds in other.rows.items():
            self.rows[table].update(kinds)
        self.figures.update(other.figures)
        for own, found in ((self.warnings, other.warnings), (self.failures, other.failures)):
            told = set(own)
            own += [finding for finding in found if finding not in told]

    def summary(self) -> str:
        """One line for logs and terminals."""
        parts = [
            f"{count:,} {table} {kind}" for table, kinds in sorted(self.rows.items()) for kind, count in kinds.items()
        ]
        parts += [counted(count, name) for name, count in self.figures.items() if count]
        parts += [counted(len(found), name) for name, found in self._findings() if found]
        return ", ".join(parts) or "nothing to do"

    def _findings(self) -> list[tuple[str, list[Finding]]]:
        return [("warnings", self.warnings), ("failures", self.failures)]


def counted(count: int, name: str) -> str:
    """A number of things as people write it: ``1 mail``, ``1,200 mails``, ``1 policy fired``.

    ``name`` is in the plural form; what is counted is its first word, or the last before ``of``, ``that`` and so on.
    """
    return f"{count:,} {singular(name) if count == 1 else name}"


def singular(name: str) -> str:
    """``policies fired`` as ``policy fired``, ``usage items`` as ``usage item``."""
    words = name.split(" ")
    plural = next((n for n, word in enumerate(words) if word.endswith("s") and not word.endswith(("ss", "us"))), None)
    if plural is not None:
        word = words[plural]
        words[plural] = f"{word[:-3]}y" if word.endswith("ies") else word[:-1]
        words = [_VERBS.get(word, word) for word in words]
    return " ".join(words)


_VERBS = {"were": "was", "are": "is", "have": "has", "wait": "waits"}
