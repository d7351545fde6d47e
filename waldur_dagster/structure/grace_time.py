"""The days after a project's end in which its resources are paused and not yet ended (spec newer_billing 4.1)."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, false, func, literal
from sqlalchemy.types import Date

from waldur_dagster.schema import structure
from waldur_dagster.work import Work

project, customer = structure.project, structure.customer


def in_grace_time(work: Work) -> ColumnElement[bool]:
    """Whether a project (joined with its customer) is over and has grace left; older sites know no such days."""
    own, organizations = project.c.grace_period_days, customer.c.grace_period_days
    if not (work.schema.has_column(own) and work.schema.has_column(organizations)):
        return false()
    today = literal(work.today, Date)
    days = func.coalesce(own, organizations, 0)
    return func.coalesce(and_(project.c.end_date < today, today <= project.c.end_date + days), false())
