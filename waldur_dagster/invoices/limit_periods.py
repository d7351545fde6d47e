"""For what time an item of a limit is made, and in which months (spec newer_billing 1.7).

Older versions bill the limits of a year every month, as those of a month (spec invoices D8).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    DateTime,
    Integer,
    Interval,
    and_,
    case,
    cast,
    extract,
    func,
    literal,
    literal_column,
    true,
)

from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.invoices import rules
from waldur_dagster.invoices.components import limit_period, resource
from waldur_dagster.invoices.term import Term
from waldur_dagster.platform.contexts import python_time

YEAR = literal_column("interval '1 year'", Interval)
SECOND = literal_column("interval '1 second'", Interval)


@dataclass(frozen=True)
class Span:
    """From ``start`` to ``end``, also in ISO 8601, with the number of days that it has."""

    start: Any
    end: Any
    days: Any
    start_text: Any
    end_text: Any


def billed_span(schema: SiteSchema, term: Term) -> Span:
    """The time of an item: its month, or what is left of it; the quarter; or the year since the resource was made."""
    month = _constant(term.start, term.end, term.days)
    if not rules.has_own_limit_periods(schema):
        return month
    spans = [("annual", _anniversary_year(term))]
    if term.begins_quarter:
        spans.append(("quarterly", _constant(term.quarter.start, term.quarter.end, term.quarter.days)))
    period = limit_period(schema)

    def chosen(part: str) -> ColumnElement[Any]:
        return case(*((period == name, getattr(span, part)) for name, span in spans), else_=getattr(month, part))

    return Span(*(chosen(part) for part in ("start", "end", "days", "start_text", "end_text")))


def is_due(schema: SiteSchema, term: Term) -> ColumnElement[bool]:
    """Whether the month is one in which the limit is billed; years before the resource was made never are."""
    if not rules.has_own_limit_periods(schema):
        return true()
    month_of_year = extract("month", _created()) == term.month.month
    return case(
        (limit_period(schema) == "quarterly", literal(term.begins_quarter)),
        (limit_period(schema) == "annual", and_(month_of_year, _years_passed(term) >= 0)),
        else_=true(),
    )


def _constant(start: Any, end: Any, days: int) -> Span:
    return Span(literal(start), literal(end), literal(days), literal(start.isoformat()), literal(end.isoformat()))


def _anniversary_year(term: Term) -> Span:
    """The year that holds the term's beginning, counted from the resource's making, in UTC.

    A day that a year does not have is its last one before: 29 February counts as 28 February.
    """
    begin, end = _anniversary(_years_passed(term)), _anniversary(_years_passed(term) + 1)
    first, last = func.timezone("UTC", begin), func.timezone("UTC", end - SECOND)
    days = cast(end, Date) - cast(begin, Date)
    return Span(first, last, days, python_time(first), python_time(last))


def _created() -> ColumnElement[Any]:
    return func.timezone("UTC", resource.c.created, type_=DateTime())


def _anniversary(years: ColumnElement[Any]) -> ColumnElement[Any]:
    return _created() + years * YEAR


def _years_passed(term: Term) -> ColumnElement[Any]:
    """Whole years from the resource's making to the term's beginning; -1 when it is made later."""
    begin = literal(term.start.astimezone(UTC).replace(tzinfo=None))
    years = literal(term.month.year) - cast(extract("year", _created()), Integer)
    return case((_anniversary(years) > begin, years - 1), else_=years)
