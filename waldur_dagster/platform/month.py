"""Calendar months in the site's time zone (spec invoices 1.3)."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Integer, cast


def month_number(invoice: Any) -> ColumnElement[int]:
    """The number of an invoice's month, as ``Month.number``; its columns are too small for it."""
    return cast(invoice.c.year, Integer) * 12 + invoice.c.month


@dataclass(frozen=True)
class Month:
    """A calendar month as a site's clocks show it."""

    year: int
    month: int
    zone: ZoneInfo

    @classmethod
    def of(cls, instant: datetime, zone: ZoneInfo) -> Month:
        """The month that an aware instant falls into."""
        local = instant.astimezone(zone)
        return cls(local.year, local.month, zone)

    @property
    def number(self) -> int:
        """Months are numbered without gaps, so that they can be compared."""
        return self.year * 12 + self.month

    @property
    def first(self) -> date:
        return date(self.year, self.month, 1)

    @property
    def last(self) -> date:
        return self.first.replace(day=self.days)

    @property
    def days(self) -> int:
        return calendar.monthrange(self.year, self.month)[1]

    @property
    def start(self) -> datetime:
        return datetime.combine(self.first, time.min, self.zone)

    @property
    def end(self) -> datetime:
        """The last microsecond; open items are found by exactly this value (spec invoices 1.12)."""
        return datetime.combine(self.last, time.max, self.zone)

    @property
    def previous(self) -> Month:
        before = self.first - timedelta(days=1)
        return Month(before.year, before.month, self.zone)

    def __str__(self) -> str:
        return f"{self.year}-{self.month:02}"
