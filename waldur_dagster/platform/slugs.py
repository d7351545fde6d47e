"""Slugs of new rows, numbered as Waldur numbers them (spec core 1.2)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ARRAY, Integer, Table, Text, cast, func, select

from waldur_dagster.work import Work

BASE_LENGTH = 8


def next_slug(work: Work, table: Table, named_after: str) -> str:
    """``base-n``: the beginning of the slugified name, and one more than the highest number in use after it."""
    return next_slugs(work, table, [named_after])[0]


def next_slugs(work: Work, table: Table, named_after: Sequence[str]) -> list[str]:
    """Slugs for several new rows of a table, in one statement."""
    from django.utils.text import slugify

    bases = [slugify(name)[:BASE_LENGTH] for name in named_after]
    number = func.substring(table.c.slug, r"-(\d{1,9})$")
    wanted_bases = func.unnest(cast(sorted(set(bases)), ARRAY(Text))).table_valued("base").render_derived(name="wanted")
    base = wanted_bases.c.base
    highest = (
        select(base, func.coalesce(func.max(cast(number, Integer)), 0))
        .select_from(wanted_bases.outerjoin(table, func.starts_with(table.c.slug, base)))
        .group_by(base)
    )
    used: dict[str, int] = dict(work.connection.execute(highest).all())
    slugs = []
    for wanted in bases:
        used[wanted] += 1
        slugs.append(f"{wanted}-{used[wanted]}")
    return slugs
