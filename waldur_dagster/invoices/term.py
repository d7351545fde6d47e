"""What part of its month an invoice's items cover, and how much of each unit that is (spec invoices 1.4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal
from typing import Any

from waldur_dagster.platform.month import Month


@dataclass(frozen=True)
class Term:
    """From ``start``, in the site's time zone, to ``until`` or the end of its month. Spans are those of clocks on the
    wall.

    ``of_all``: of a month that has passed, resources that were made after it have items too, as in Waldur when
    something makes such a month's invoice (spec remote 8).
    """

    month: Month
    start: datetime
    of_all: bool = False
    until: datetime | None = None

    @classmethod
    def whole(cls, month: Month) -> Term:
        return cls(month, month.start)

    @classmethod
    def rest(cls, month: Month, since: datetime) -> Term:
        """What is left of a month at an aware instant in it."""
        return cls(month, since.astimezone(month.zone))

    @classmethod
    def between(cls, month: Month, start: datetime, until: datetime) -> Term:
        """From one aware instant to another one; what lies before the month counts from its beginning."""
        begin = max(start.astimezone(month.zone), month.start)
        return cls(month, begin, until=until.astimezone(month.zone))

    @property
    def end(self) -> datetime:
        return self.until or self.month.end

    @property
    def _ends_with_month(self) -> bool:
        return self.end.day == self.month.days

    @property
    def hours(self) -> int:
        """Begun hours count."""
        return _begun(self.end - self.start, timedelta(hours=1))

    @property
    def days(self) -> int:
        """Begun days count."""
        return _begun(self.end - self.start, timedelta(days=1))

    @property
    def months(self) -> Decimal:
        """1 from the first day to the last; else the part of the month, rounded up to hundredths."""
        if self.start.day == 1 and self._ends_with_month:
            return Decimal(1)
        return _hundredths(Decimal((self.end - self.start).days + 1) / self.month.days)

    @property
    def half_months(self) -> Decimal:
        """2, 1 for the 1st to the 15th or for what begins on the 16th, else by days, rounded up to hundredths."""
        half, day, last = Decimal(self.month.days) / 2, self.start.day, self.end.day
        if (day, last) == (1, 15) or (day == 16 and self._ends_with_month):
            return Decimal(1)
        if day == 1 and self._ends_with_month:
            return Decimal(2)
        if day == 1 and last > 15:
            return _hundredths(1 + (last - 15) / half)
        if day < 16 and self._ends_with_month:
            return _hundredths(1 + (16 - day) / half)
        return _hundredths((last - day + 1) / half)

    @property
    def quarters(self) -> int:
        """How many quarters of the calendar year begin in it: 1 or 0 (spec newer_billing 1.6)."""
        return int(self.begins_quarter and self.start == self.month.start)

    @property
    def begins_quarter(self) -> bool:
        """Whether its month is the first of a quarter."""
        return self.month.month % 3 == 1

    @property
    def quarter(self) -> Quarter:
        """The quarter that begins with its month."""
        last = Month(self.month.year, self.month.month + 2, self.month.zone)
        return Quarter(self.month.start, last.end, (last.last - self.month.first).days + 1)

    def quantity(self, unit: str) -> Decimal:
        """How many of one of a plan's units it has."""
        return Decimal(dict(self.quantities()).get(unit, self.months))

    def quantities(self) -> list[tuple[str, Any]]:
        """How many of a plan's units it has, by unit; any other unit has ``months``."""
        return [
            ("hour", self.hours),
            ("day", self.days),
            ("half_month", self.half_months),
            ("quarter", self.quarters),
        ]


@dataclass(frozen=True)
class Quarter:
    """Three months, from their first instant to their last microsecond, in the site's time zone."""

    start: datetime
    end: datetime
    days: int


def _begun(span: timedelta, unit: timedelta) -> int:
    return -(-span // unit)


def _hundredths(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_UP)
