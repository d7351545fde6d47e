"""Rows of bills that somebody else is writing: they cost the bill of their organization only, and are told.

Whoever holds a row, a person in Waldur or one of its workers, holds it for a moment as a rule. So what was left for
that reason is tried again at the end of the run (billing.monthly.try_held_again), and only then is it a failure.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, Table, func, select

from waldur_dagster.outcome import Finding
from waldur_dagster.schema import invoices, structure
from waldur_dagster.work import Work

HELD = "is being written by somebody else"
ESTIMATE = "a price estimate"
_customer, _project = structure.customer, structure.project


def leave_held(work: Work, closing: Table, due: ColumnElement[bool]) -> None:
    """Take the customers out of ``closing`` (id, customer_id) of whom an invoice or a credit is held; lock the credits.

    ``closing`` has the invoices of the ``due`` ones that could be locked. Statements: constant.
    """
    invoice, credit, of_project = invoices.invoice, invoices.customercredit, invoices.projectcredit
    missed = select(invoice.c.customer_id).where(due, invoice.c.id.not_in(select(closing.c.id)))
    held = {"invoice": set(work.connection.scalars(missed))}
    concerned = select(closing.c.customer_id)
    credits = select(credit.c.id, credit.c.customer_id).where(credit.c.customer_id.in_(concerned))
    held["credit"] = _held(work, credits, credit)
    of_projects = (
        select(of_project.c.id, _project.c.customer_id)
        .join(_project, _project.c.id == of_project.c.project_id)
        .where(_project.c.customer_id.in_(concerned))
    )
    held["project credit"] = _held(work, of_projects, of_project)
    for what, customers in held.items():
        if customers:
            work.connection.execute(closing.delete().where(closing.c.customer_id == func.any(list(customers))))
            tell_held(work, what, select(_customer.c.name).where(_customer.c.id == func.any(list(customers))))


def _held(work: Work, rows: Select[Any], table: Table) -> set[int]:
    """The customers of those rows (id, customer_id) that could not be locked; the others are locked now."""
    free = set(
        work.connection.scalars(rows.order_by(table.c.id).with_for_update(of=table, skip_locked=True)),
    )
    return {customer_id for row_id, customer_id in work.connection.execute(rows) if row_id not in free}


def tell_held(work: Work, what: str, names: Select[Any]) -> None:
    """Warn of the organizations, whose names ``names`` selects, that something of theirs is held."""
    for name in sorted(set(work.connection.scalars(names))):
        work.outcome.warn(f"customer {name}", f"{what} {HELD}; it is left for now, and tried again")


def names_of_held(work: Work, what: str) -> set[str]:
    """The organizations of which the steps before this one have left something because it was held."""
    told = (finding for finding in work.earlier.warnings if finding.problem.startswith(f"{what} {HELD}"))
    return {finding.item.removeprefix("customer ") for finding in told}


def fail_for_held(work: Work) -> None:
    """What is still held in the last try of a run has failed."""
    held = [finding for finding in work.outcome.warnings if HELD in finding.problem]
    work.outcome.warnings = [finding for finding in work.outcome.warnings if finding not in held]
    for finding in held:
        what = finding.problem.partition(HELD)[0]
        work.outcome.failures.append(Finding(finding.item, f"{what}{HELD}, still; the next run tries again"))
