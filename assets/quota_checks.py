"""What has to be true of quotas and their history, always."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import dagster as dg
from sqlalchemy import Date, Interval, Select, cast, func, literal, select, true, union_all

from assets.violations import Violations, violation_check
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


def _wrong(fields: Iterable[QuotaField]) -> Violations:
    return lambda work, _: wrong_counters(work, fields)


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


def build() -> list[dg.AssetChecksDefinition]:
    counted = {"standard_quotas": STANDARD_FIELDS, "custom_quotas": CUSTOM_FIELDS}
    return [
        *(
            violation_check(
                asset,
                "counters_equal_a_recount",
                _wrong(fields),
                str(wrong_counters.__doc__),
                grave=False,
            )
            for asset, fields in counted.items()
        ),
        violation_check(
            "daily_quotas",
            "history_is_complete_up_to_yesterday",
            missing_days,
            "Days that the history should have, and that nobody took.",
            grave=False,
        ),
    ]
