"""How a customer's credit keeps a policy on cost from firing (spec quotas, check-polices; newer_billing 3.3).

Up to 2024 what the credit will pay is taken off the cost. Newer versions do that too, and wait besides until what is
left of the credit comes down to the limit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, exists, false, func, null, or_, true

from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.invoices.expected_compensation import Outlook, open_credits
from waldur_dagster.policies.classes import CUSTOMER_COST, PROJECT_COST, PolicyClass
from waldur_dagster.policies.rules import watches_credit
from waldur_dagster.schema import invoices, structure

ZERO = Decimal(0)


@dataclass(frozen=True)
class CreditRule:
    """``undecided``: from the policies and their cost, a FROM clause with the policies, the customer who pays, and
    whether it takes a settlement to tell if a policy fires. ``triggered`` tells it, given the settlement's outlook.
    ``from_ledger``: what the credit has paid this month already counts as if it had not been paid yet.
    """

    undecided: Callable[[PolicyClass, ColumnElement[Any]], tuple[FromClause, ColumnElement[Any], ColumnElement[bool]]]
    triggered: Callable[[PolicyClass, Any, Outlook], bool]
    from_ledger: bool


def rule_of(schema: SiteSchema) -> CreditRule:
    return TWO_GATES if watches_credit(schema) else COMPENSATED


def _with_payer(kind: PolicyClass) -> tuple[FromClause, ColumnElement[Any]]:
    """Policies with the customer who pays for their scope; offerings are paid by many."""
    policy, project = kind.table, structure.project
    if kind is PROJECT_COST:
        return policy.join(project, project.c.id == policy.c.scope_id), project.c.customer_id
    return policy, policy.c.scope_id if kind is CUSTOMER_COST else null()


def _near_the_limit(
    kind: PolicyClass, cost: ColumnElement[Any]
) -> tuple[FromClause, ColumnElement[Any], ColumnElement[bool]]:
    """It takes no settlement where the cost is so far from the limit that none can bring it to the other side."""
    policies, payer = _with_payer(kind)
    if kind not in (PROJECT_COST, CUSTOMER_COST):
        return policies, payer, false()
    credit = open_credits().subquery("open_credit")
    excess = cost - kind.table.c.limit_cost
    undecided = or_(credit.c.unusual, and_(excess > credit.c.least, excess <= credit.c.most))
    return policies.outerjoin(credit, credit.c.customer_id == payer), payer, func.coalesce(undecided, false())


def _after_compensation(kind: PolicyClass, row: Any, outlook: Outlook) -> bool:
    return bool(row.cost - _expected(kind, row, outlook) > row.limit_cost)


def _above_the_limit(
    kind: PolicyClass, cost: ColumnElement[Any]
) -> tuple[FromClause, ColumnElement[Any], ColumnElement[bool]]:
    """A credit only keeps policies from firing, and only those that ask for it."""
    policies, payer = _with_payer(kind)
    if kind not in (PROJECT_COST, CUSTOMER_COST):
        return policies, payer, false()
    credit = invoices.customercredit
    asks = kind.table.c.use_credit if kind is PROJECT_COST else true()
    return policies, payer, and_(cost > kind.table.c.limit_cost, asks, exists().where(credit.c.customer_id == payer))


def _through_two_gates(kind: PolicyClass, row: Any, outlook: Outlook) -> bool:
    if row.cost <= row.limit_cost:
        return False
    if not row.undecided:
        return True
    still_to_come = max(ZERO, _expected(kind, row, outlook) - row.written)
    left = outlook.left_for(row.scope_id) if kind is PROJECT_COST else outlook.left
    return bool(row.cost - still_to_come > row.limit_cost and left <= row.limit_cost)


def _expected(kind: PolicyClass, row: Any, outlook: Outlook) -> Decimal:
    """What the credit would pay of the policy's scope if the invoice were closed now."""
    if kind is CUSTOMER_COST:
        return outlook.total
    if kind is not PROJECT_COST:
        return ZERO
    if row.resource_id is not None:
        return outlook.by_resource.get(row.resource_id, ZERO)
    return outlook.by_project.get(row.scope_id, ZERO)


COMPENSATED = CreditRule(_near_the_limit, _after_compensation, from_ledger=False)
TWO_GATES = CreditRule(_above_the_limit, _through_two_gates, from_ledger=True)
