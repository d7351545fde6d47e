"""Partitions of the assets, in the site's time zone."""

from zoneinfo import ZoneInfo

import dagster as dg

FIRST_MONTH = "2015-01-01"


def months(zone: ZoneInfo) -> dg.MonthlyPartitionsDefinition:
    """Months named by their first day; the one that runs is among them, since it is billed on its first day."""
    return dg.MonthlyPartitionsDefinition(start_date=FIRST_MONTH, timezone=zone.key, end_offset=1)
