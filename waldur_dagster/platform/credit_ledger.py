"""The ledger of credits: a row for every change of a credit's value (spec newer_billing 2.9).

Older sites keep none, and so do some newer ones; there nothing is booked. Waldur writes the rows itself when it saves a
credit; who changes a value with a statement of his own has to book it here, in the same transaction.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    FromClause,
    Integer,
    Numeric,
    Select,
    Text,
    cast,
    func,
    literal,
    null,
    select,
)

from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.platform.expressions import hex_of
from waldur_dagster.schema import invoices, structure
from waldur_dagster.work import Work

EXPIRY, ADJUSTMENT, AFFILIATE_FEE = "expiry", "adjustment", "affiliate_fee"
transaction = invoices.credittransaction


def keeps_ledger(schema: SiteSchema) -> bool:
    return schema.has(transaction.name)


def book(work: Work, movements: Select[Any]) -> int:
    """Write the rows that ``movements`` selects; amounts of 0 are no movements. Returns how many.

    Columns: position (their order), credit_id and project_credit_id (one of them NULL), amount (signed) and
    transaction_type; where a movement has them, billing_period (the first day of a month) and content_type_id with
    object_id (what caused it).
    """
    if not keeps_ledger(work.schema):
        return 0
    given = movements.subquery("movement")
    project_credit, project = invoices.projectcredit, structure.project
    statement = work.insert_from(
        transaction,
        select(
            func.gen_random_uuid().label("uuid"),
            literal(work.as_of).label("created"),
            given.c.credit_id,
            given.c.project_credit_id,
            func.coalesce(project.c.name, "").label("project_name"),
            func.coalesce(hex_of(project.c.uuid), "").label("project_uuid"),
            cast(given.c.amount, Numeric(16, 5)).label("amount"),
            given.c.transaction_type,
            _own(given, "billing_period", cast(null(), Date)),
            _own(given, "content_type_id", cast(null(), Integer)),
            _own(given, "object_id", cast(null(), Integer)),
            literal("", Text).label("comment"),
        )
        .select_from(
            given.outerjoin(project_credit, project_credit.c.id == given.c.project_credit_id).outerjoin(
                project, project.c.id == project_credit.c.project_id
            )
        )
        .where(given.c.amount != 0)
        .order_by(given.c.position),
    )
    return work.execute(statement).rowcount


def _own(given: FromClause, name: str, otherwise: ColumnElement[Any]) -> ColumnElement[Any]:
    return given.c.get(name, otherwise).label(name)
