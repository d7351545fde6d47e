"""Queries for what should not be among the quotas and their history."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import Date, Interval, Select, and_, cast, func, literal, or_, select, true, union_all

from waldur_dagster.platform.plugin_resources import ERRED, OK
from waldur_dagster.platform.quota_usage import USER_COUNT
from waldur_dagster.quotas.daily_history import first_kept_day
from waldur_dagster.quotas.fields import CUSTOM_FIELDS, STANDARD_FIELDS, QuotaField
from waldur_dagster.quotas.recount import corrections
from waldur_dagster.resources import RunSite
from waldur_dagster.schema import analytics, openstack, quotas, structure
from waldur_dagster.work import Work

history = analytics.dailyquotahistory
usage, limit = quotas.quotausage, quotas.quotalimit


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


def tenants_over_limit(work: Work, _: RunSite) -> Select[Any]:
    """Tenants that use more than their cloud allows them; limits below 0 are none."""
    content_type = work.content_types.get("openstack", "tenant")
    used = (
        select(usage.c.object_id, usage.c.name, func.sum(usage.c.delta).label("used"))
        .where(usage.c.content_type_id == content_type)
        .group_by(usage.c.object_id, usage.c.name)
        .subquery("used")
    )
    return (
        select(limit.c.object_id.label("tenant_id"), limit.c.name, used.c.used, limit.c.value)
        .join(used, (used.c.object_id == limit.c.object_id) & (used.c.name == limit.c.name))
        .where(limit.c.content_type_id == content_type, limit.c.value >= 0, used.c.used > limit.c.value)
        .order_by(limit.c.object_id, limit.c.name)
    )


def tenants_not_read(work: Work, _: RunSite) -> Select[Any]:
    """Tenants that are erred since more than a day, so that nobody reads their quotas, or whose quotas never were."""
    tenant = openstack.tenant
    content_type = work.content_types.get("openstack", "tenant")
    known = select(limit.c.object_id).where(limit.c.content_type_id == content_type)
    erred = and_(tenant.c.state == ERRED, tenant.c.modified < work.as_of - timedelta(days=1))
    return (
        select(tenant.c.id, tenant.c.name, tenant.c.error_message)
        .where(tenant.c.state.in_([OK, ERRED]), or_(erred, tenant.c.id.not_in(known)))
        .order_by(tenant.c.id)
    )
