"""Queries for what should not be among the quotas and their history."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import Date, Interval, Select, cast, func, literal, select, true, union_all

from waldur_dagster.platform.quota_usage import USER_COUNT
from waldur_dagster.quotas.daily_history import first_kept_day
from waldur_dagster.quotas.fields import CUSTOM_FIELDS, STANDARD_FIELDS, QuotaField
from waldur_dagster.quotas.recount import corrections
from waldur_dagster.resources import RunSite
from waldur_dagster.schema import analytics, structure
from waldur_dagster.work import Work

history = analytics.dailyquotahistory


def wrong_counters(work: Work, fields: Iterable[QuotaField]) -> Select[Any]:
    """Scopes whose logged usage is not what counts now; ``delta`` is what is missing."""
    found = [differences for field in fields if (differences := corrections(work, field)) is not None]
    if not found:
        return select(structure.customer.c.id).where(~true())
    return select(union_all(*found).subquery("found"))


def wrong_standard_counters(work: Work, _: RunSite) -> Select[Any]:
    return wrong_counters(work, STANDARD_FIELDS)


def wrong_custom_counters(work: Work, _: RunSite) -> Select[Any]:
    return wrong_counters(work, CUSTOM_FIELDS)


def missing_days(work: Work, site: RunSite) -> Select[Any]:
    """Days before the partition's that the history should have, and that nobody took.

    The history begins with its oldest day that is kept. User counts do not make a day: they are also written when
    somebody gets a role.
    """
    taken = (
        select(history.c.date).where(history.c.name != USER_COUNT, history.c.date >= first_kept_day(work)).distinct()
    )
    days = taken.cte("days")
    first = select(func.min(days.c.date)).scalar_subquery()
    yesterday = literal(site.day - timedelta(days=1), Date)
    expected = func.generate_series(first, yesterday, cast("1 day", Interval)).table_valued("day").render_derived()
    day = cast(expected.c.day, Date)
    return select(day.label("day")).where(day.not_in(select(days.c.date)))
