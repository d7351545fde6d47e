"""What has to be true of the usage totals, always."""

from typing import Any

import dagster as dg
from sqlalchemy import Select, literal, or_, select, union_all

from assets.violations import of_month, violation_check
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import marketplace

reported, total = marketplace.componentusage, marketplace.categorycomponentusage


def negative_usage(month: Month) -> Select[Any]:
    """Usage below 0, as it was reported for the month or as it was summed."""
    found = union_all(
        select(literal(reported.name).label("table"), reported.c.id, reported.c.usage).where(
            reported.c.billing_period == month.first, reported.c.usage < 0
        ),
        select(literal(total.name), total.c.id, total.c.reported_usage).where(
            total.c.date == month.first, or_(total.c.reported_usage < 0, total.c.fixed_usage < 0)
        ),
    ).subquery("found")
    return select(found)


def build() -> list[dg.AssetChecksDefinition]:
    return [
        violation_check(
            "category_component_usage",
            "usage_is_not_negative",
            of_month(negative_usage),
            str(negative_usage.__doc__),
            grave=False,
        )
    ]
