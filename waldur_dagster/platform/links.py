"""Tables that link rows of two others."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Integer, Table, and_, delete, exists, select

from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.work import Work


def sync_links(work: Work, links: Table, wanted: Collection[tuple[int, int]], owners: Collection[int]) -> None:
    """Make the links of ``owners`` (first column after the key) to others (second) what ``wanted`` says."""
    owner, target = (column.name for column in list(links.c)[1:3])
    if not owners:
        return
    rows = [{"owner": one, "target": other} for one, other in wanted]
    given = select(given_rows(rows, owner=Integer, target=Integer)).cte("wanted")
    same = and_(links.c[owner] == given.c.owner, links.c[target] == given.c.target)
    stale = delete(links).where(links.c[owner].in_(owners), ~exists().where(same).correlate(links))
    work.execute(stale.add_cte(given))
    fresh = select(given.c.owner.label(owner), given.c.target.label(target)).where(
        ~exists().where(same).correlate(given)
    )
    if rows:
        work.execute(work.insert_from(links, fresh))
