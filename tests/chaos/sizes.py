"""How much of it is tried."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """``points`` and ``outages``: at how many points of each entry it is killed, and the database disturbed; None: all.

    ``every_pair``, ``every_statement``, ``every_place``: every so many pairs of entries, statements at which a job of
    a pair stands still, places of junk. ``all_pairs``: of entries that write no common table, too.
    """

    points: int | None
    outages: int | None
    every_pair: int
    all_pairs: bool
    every_statement: int
    every_place: int


SMALL = Size(points=3, outages=1, every_pair=12, all_pairs=False, every_statement=5, every_place=40)
FULL = Size(points=None, outages=20, every_pair=1, all_pairs=True, every_statement=1, every_place=1)
