"""Queries for what should not be among the usage totals of a month."""

from typing import Any

from sqlalchemy import Select, literal, or_, select, union_all

from waldur_dagster.resources import RunSite
from waldur_dagster.schema import marketplace
from waldur_dagster.work import Work

reported, total = marketplace.componentusage, marketplace.categorycomponentusage


def negative_usage(_: Work, site: RunSite) -> Select[Any]:
    """Usage below 0, as it was reported for the month or as it was summed."""
    month = site.month
    found = union_all(
        select(literal(reported.name).label("table"), reported.c.id, reported.c.usage).where(
            reported.c.billing_period == month.first, reported.c.usage < 0
        ),
        select(literal(total.name), total.c.id, total.c.reported_usage).where(
            total.c.date == month.first, or_(total.c.reported_usage < 0, total.c.fixed_usage < 0)
        ),
    ).subquery("found")
    return select(found)
