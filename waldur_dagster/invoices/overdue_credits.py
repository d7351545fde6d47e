"""Credits whose end has come lose what is left of them (spec newer_billing 2.6).

Up to 2024 another job of Waldur does that.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import Date, Integer, Table, Text, cast, literal, null, select, update

from waldur_dagster.invoices.compensation import NET
from waldur_dagster.invoices.credit_columns import rules_of
from waldur_dagster.platform.contexts import NOTHING, customer_context, project_context
from waldur_dagster.platform.credit_ledger import EXPIRY, book
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import json_list, json_object, merged, text_from, whole_part
from waldur_dagster.schema import invoices, structure
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

customer, project = structure.customer, structure.project
of_customers, of_projects = invoices.customercredit, invoices.projectcredit


def zero_overdue_credits(work: Work, effective: date) -> int:
    """Set the credits that have ended before a day to 0, of organizations and then of projects; returns how many.

    Before invoices are closed: a credit is used last for the month before its end date, which is a first of month.
    """
    if rules_of(work.schema) is not NET:
        return 0
    zeroed = _zero(work, of_customers, "overdue_credit", effective, of_project=False)
    if work.schema.has_column(of_projects.c.end_date):
        zeroed += _zero(work, of_projects, "overdue_project_credit", effective, of_project=True)
    work.outcome.figures["overdue credits set to 0"] += zeroed
    return zeroed


def _zero(work: Work, credit: Table, name: str, effective: date, *, of_project: bool) -> int:
    overdue = temporary_table(
        work,
        name,
        select(credit.c.id, credit.c.value, credit.c.end_date)
        .where(credit.c.end_date < effective, credit.c.value != 0)
        .order_by(credit.c.id)
        .with_for_update(skip_locked=True),
    )
    changed = update(credit).values(value=0, modified=work.as_of).where(credit.c.id == overdue.c.id)
    zeroed = work.execute(changed).rowcount
    nobody = cast(null(), Integer)
    book(
        work,
        select(
            overdue.c.id.label("position"),
            (nobody if of_project else overdue.c.id).label("credit_id"),
            (overdue.c.id if of_project else nobody).label("project_credit_id"),
            (-overdue.c.value).label("amount"),
            literal(EXPIRY, Text).label("transaction_type"),
            literal(effective.replace(day=1), Date).label("billing_period"),
        ),
    )
    _log(work, overdue, of_project=of_project)
    return zeroed


def _log(work: Work, overdue: Table, *, of_project: bool) -> None:
    """Of whom these events are is said by their context alone; no object's log shows them."""
    if of_project:
        own = overdue.join(of_projects, of_projects.c.id == overdue.c.id)
        source = own.join(project, project.c.id == of_projects.c.project_id)
        source = source.join(customer, customer.c.id == project.c.customer_id)
        text, about = "Project credit has been set to zero as the end date {end} has arrived.", project_context(project)
    else:
        own = overdue.join(of_customers, of_customers.c.id == overdue.c.id)
        source = own.join(customer, customer.c.id == of_customers.c.customer_id)
        text, about = "Credit has been set to zero due as the end date {end} has arrived.", NOTHING
    log_events(
        work,
        select(
            literal("set_to_zero_overdue_credit").label("event_type"),
            text_from(text, end=overdue.c.end_date).label("message"),
            merged(
                customer_context(customer),
                about,
                json_object(
                    credit_end_date=cast(overdue.c.end_date, Text), old_value=whole_part(overdue.c.value), new_value=0
                ),
            ).label("context"),
            json_list().label("feeds"),
        )
        .select_from(source)
        .order_by(overdue.c.id),
    )
