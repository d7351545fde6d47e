"""Slugs of new rows, numbered as Waldur numbers them (spec core 1.2)."""

from __future__ import annotations

from django.utils.text import slugify
from sqlalchemy import Integer, Table, cast, func, select

from waldur_dagster.work import Work

BASE_LENGTH = 8


def next_slug(work: Work, table: Table, named_after: str) -> str:
    """``base-n``: the beginning of the slugified name, and one more than the highest number in use after it."""
    base = slugify(named_after)[:BASE_LENGTH]
    number = func.substring(table.c.slug, r"-(\d{1,9})$")
    highest = select(func.max(cast(number, Integer))).where(table.c.slug.startswith(base, autoescape=True))
    return f"{base}-{(work.connection.scalar(highest) or 0) + 1}"
