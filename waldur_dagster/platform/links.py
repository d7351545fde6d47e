"""Tables that link rows of two others."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Integer, Table, delete, select

from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.work import Work


def sync_links(work: Work, links: Table, wanted: Collection[tuple[int, int]], owners: Collection[int]) -> None:
    """Make the links of ``owners`` (first column after the key) to others (second) what ``wanted`` says."""
    key, owner, target = list(links.c)[:3]
    if not owners:
        return
    rows = work.connection.execute(select(key, owner, target).where(owner.in_(owners)))
    known = {(one, other): id for id, one, other in rows}
    if stale := sorted(known[pair] for pair in known.keys() - set(wanted)):
        work.execute(delete(links).where(key.in_(stale)))
    if missing := sorted(set(wanted) - known.keys()):
        given = given_rows(
            [{owner.name: one, target.name: other} for one, other in missing],
            **{owner.name: Integer, target.name: Integer},
        )
        work.execute(work.insert_from(links, select(given)))
