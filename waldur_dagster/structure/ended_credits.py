"""What becomes of the credits of projects that are removed (spec newer_billing 2.7)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import FromClause, Integer, Select, Table, Text, case, cast, false, func, literal, null, select, update

from waldur_dagster.platform.contexts import customer_context, project_context
from waldur_dagster.platform.credit_ledger import ADJUSTMENT, book
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import json_list, json_object, merged, whole_part
from waldur_dagster.schema import invoices, structure
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

credit, own_credit = invoices.customercredit, invoices.projectcredit
customer, project = structure.customer, structure.project
SPENT = "mark_unused_credit_as_spent_on_project_termination"


def settle_ended_credits(work: Work, doomed: FromClause) -> None:
    """Set the credits of the projects of ``doomed`` (project_id) to 0, where newer versions do.

    Where a project's credit says so, its organization's loses what the project has not used, as far as it has it.
    """
    if not work.schema.has_column(own_credit.c.expected_consumption):
        return
    _lock(work, doomed)
    ended = temporary_table(work, "ended_credit", _ended(work, doomed))
    lost = (
        select(ended.c.credit_id, func.sum(ended.c.taken).label("taken")).group_by(ended.c.credit_id).subquery("lost")
    )
    work.execute(
        update(credit)
        .values(value=credit.c.value - lost.c.taken, modified=work.as_of)
        .where(credit.c.id == lost.c.credit_id, lost.c.taken != 0)
    )
    work.execute(update(own_credit).values(value=0, modified=work.as_of).where(own_credit.c.id == ended.c.id))
    _book(work, ended)
    _log(work, ended)


def _lock(work: Work, doomed: FromClause) -> None:
    """Organizations' credits before those of projects, as whoever changes both does."""
    of_doomed = select(project.c.id).where(project.c.id.in_(select(doomed.c.project_id)))
    customers = select(project.c.customer_id).where(project.c.id.in_(of_doomed))
    work.connection.execute(select(credit.c.id).where(credit.c.customer_id.in_(customers)).with_for_update())
    work.connection.execute(select(own_credit.c.id).where(own_credit.c.project_id.in_(of_doomed)).with_for_update())


def _ended(work: Work, doomed: FromClause) -> Select[Any]:
    """A row for each credit with something left whose organization has one too.

    ``had`` is what the organization has at that moment, ``taken`` what it loses: of several projects of one
    organization the first takes first.
    """
    spent = work.schema.own(own_credit, SPENT, false())
    due = case((spent, own_credit.c.value), else_=0)
    before = func.sum(due).over(partition_by=credit.c.id, order_by=own_credit.c.id) - due
    had = func.greatest(credit.c.value - before, 0, type_=credit.c.value.type)
    return (
        select(
            own_credit.c.id,
            own_credit.c.value,
            credit.c.id.label("credit_id"),
            project.c.id.label("project_id"),
            had.label("had"),
            func.least(due, had, type_=credit.c.value.type).label("taken"),
        )
        .join_from(doomed, project, project.c.id == doomed.c.project_id)
        .join(own_credit, own_credit.c.project_id == project.c.id)
        .join(credit, credit.c.customer_id == project.c.customer_id)
        .where(own_credit.c.value > 0)
    )


def _book(work: Work, ended: Table) -> None:
    """Both movements refer to the project's credit; its own is booked first (spec newer_billing 7.5)."""
    nobody = cast(null(), Integer)
    own_type = cast(literal(work.content_types.get("invoices", "projectcredit")), Integer)
    parts = (
        ((ended.c.id * 2).label("position"), nobody, ended.c.id, -ended.c.value),
        ((ended.c.id * 2 + 1).label("position"), ended.c.credit_id, nobody, -ended.c.taken),
    )
    own, organizations = (
        select(
            position,
            of_organization.label("credit_id"),
            of_project.label("project_credit_id"),
            amount.label("amount"),
            literal(ADJUSTMENT, Text).label("transaction_type"),
            own_type.label("content_type_id"),
            ended.c.id.label("object_id"),
        )
        for position, of_organization, of_project, amount in parts
    )
    book(work, select(own.union_all(organizations).subquery("booked")))


def _log(work: Work, ended: Table) -> None:
    """What the organization lost, then what the project did; the organization's log shows both."""
    feeds = json_list(json_list(work.content_types("structure", "customer"), customer.c.id))
    source = ended.join(project, project.c.id == ended.c.project_id).join(
        customer, customer.c.id == project.c.customer_id
    )

    def told(position: Any, text: str, old: Any, new: Any) -> Select[Any]:
        values = json_object(old_value=whole_part(old), new_value=whole_part(new))
        return select(
            position.label("position"),
            literal("automatic_credit_adjustment", Text).label("event_type"),
            literal(text, Text).label("message"),
            merged(project_context(project), customer_context(customer), values).label("context"),
            feeds.label("feeds"),
        ).select_from(source)

    of_organizations = told(
        ended.c.id * 2,
        "Organization credit has been decreased due to project removal.",
        ended.c.had,
        ended.c.had - ended.c.taken,
    ).where(ended.c.taken != 0)
    own = told(ended.c.id * 2 + 1, "Project credit has been set to 0 on project removal.", ended.c.value, literal(0))
    events = of_organizations.union_all(own).subquery("adjustment")
    log_events(
        work,
        select(events.c.event_type, events.c.message, events.c.context, events.c.feeds).order_by(events.c.position),
    )
