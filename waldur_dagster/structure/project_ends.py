"""When a project is over: its end date and, on newer sites, the days of grace after it (spec newer_billing 4.1)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Date, Integer, and_, func, literal, select

from waldur_dagster.schema import structure
from waldur_dagster.work import Work

# More days than anybody means: a slip of the keyboard must not make a date that no database holds.
MOST_DAYS = 36_500


def grace_days(work: Work, project: Any = structure.project) -> ColumnElement[int]:
    """The project's own days of grace, else those of its organization, else none; 0 counts as a value."""
    if not has_grace(work):
        return literal(0, Integer)
    customer = structure.customer.alias("grace_giver")
    of_customer = select(customer.c.grace_period_days).where(customer.c.id == project.c.customer_id).scalar_subquery()
    return func.least(func.coalesce(project.c.grace_period_days, of_customer, 0), MOST_DAYS)


def has_grace(work: Work) -> bool:
    """Whether the site's Waldur knows days of grace."""
    return work.schema.has_column(structure.project.c.grace_period_days)


def effective_end(work: Work, project: Any = structure.project) -> ColumnElement[Any]:
    """The last day of grace, or the end date where there is none; NULL for a project without an end."""
    return project.c.end_date.op("+", return_type=Date())(grace_days(work, project))


def is_over(work: Work, project: Any = structure.project) -> ColumnElement[bool]:
    """Whether a project ends, grace and all, today or has ended before."""
    return effective_end(work, project) <= work.today


def is_in_grace(work: Work, project: Any = structure.project) -> ColumnElement[bool]:
    """From the day after the end date to the last day of grace, on which a project is also over."""
    return and_(project.c.end_date < work.today, effective_end(work, project) >= work.today)
