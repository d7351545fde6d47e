"""Partitions of the assets: months in the site's time zone, days in UTC as Waldur's quota history has them."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import dagster as dg


def months(zone: ZoneInfo, first: date) -> dg.MonthlyPartitionsDefinition:
    """Months named by their first day; the one that runs is among them, since it is billed on its first day."""
    return dg.MonthlyPartitionsDefinition(start_date=first.isoformat(), timezone=zone.key, end_offset=1)


def days(first: date) -> dg.DailyPartitionsDefinition:
    """Days in UTC, today among them."""
    return dg.DailyPartitionsDefinition(start_date=first.isoformat(), timezone="UTC", end_offset=1)


def partition_key(partitions: dg.PartitionsDefinition | None, instant: datetime) -> str | None:
    """The partition that an aware instant falls into; None for what has no partitions."""
    if partitions is None:
        return None
    if not isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        raise TypeError(f"{partitions} are no partitions of time")
    return partitions.get_partition_key_for_timestamp(instant.timestamp())
