"""Credits of the demo site: one is nearly used up, one is linear and shared with a project; newer sites book them."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection, select

from waldur_dagster.demo.rows import Rows
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import invoices, policy, structure


def add_credits(rows: Rows, connection: Connection, customers: list[int], month: Month) -> None:
    """The linear one keeps a policy of its project from firing, as long as there is more than the policy's limit."""
    ends = date(month.year + 1, 1, 1)
    for customer, value, expected, logic in ((customers[0], 500, 0, "fixed"), (customers[4], 60_000, 300, "linear")):
        credit = rows.add(
            invoices.customercredit,
            customer_id=customer,
            value=value,
            minimal_consumption=expected,
            expected_consumption=expected,
            grace_coefficient=20,
            minimal_consumption_logic=logic,
            end_date=ends,
        )
        _book(rows, value, month, credit_id=credit)
    project = structure.project
    shared = connection.scalar(select(project.c.id).where(project.c.customer_id == customers[4]).order_by(project.c.id))
    assert shared is not None
    own = rows.add(invoices.projectcredit, project_id=shared, value=40_000, expected_consumption=100)
    _book(rows, 40_000, month, project_credit_id=own)
    rows.add(
        policy.projectestimatedcostpolicy,
        scope_id=shared,
        actions="notify_organization_owners,block_creation_of_new_resources",
        limit_cost=50,
        period=2,
        options={},
    )


def _book(rows: Rows, value: int, month: Month, **of: int) -> None:
    """What was granted, in the ledger of sites that keep one."""
    if rows.schema.has(invoices.credittransaction.name):
        known = {"credit_id": None, "project_credit_id": None, "created": month.previous.start}
        rows.add(invoices.credittransaction, amount=value, transaction_type="staff_grant", **(known | of))
