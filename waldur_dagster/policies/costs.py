"""Policies on cost: what a project, customer or offering costs in the policy's months, credit taken off."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Numeric, and_, cast, false, func, literal, null, or_, select

from waldur_dagster.invoices.expected_compensation import (
    Compensations,
    expected_compensations,
    open_credits,
)
from waldur_dagster.invoices.money import item_price, with_tax
from waldur_dagster.policies.classes import (
    CUSTOMER_COST,
    PROJECT_COST,
    Choice,
    Policy,
    PolicyClass,
    in_period,
)
from waldur_dagster.schema import invoices, marketplace, structure
from waldur_dagster.work import Work

CANCELED = "canceled"
invoice, item, customer = invoices.invoice, invoices.invoiceitem, structure.customer


def cost_changes(work: Work, kind: PolicyClass, choice: Choice) -> Iterator[Policy]:
    """Policies of one class of cost policies whose state is not what their cost asks for, by id."""
    policy = kind.table
    spent = (
        select(policy.c.id, func.sum(with_tax(item_price(item), invoice.c.tax_percent)).label("cost"))
        .select_from(_items(kind))
        .where(
            ~customer.c.blocked,
            ~customer.c.archived,
            invoice.c.state != CANCELED,
            in_period(policy.c.period, work.today, _billed_within),
            *choice.of(kind),
        )
        .group_by(policy.c.id)
        .cte("spent")
    )
    cost = func.coalesce(spent.c.cost, literal(0, Numeric))
    policies, payer, undecided = _with_credit(kind, cost)
    found = work.connection.execute(
        select(
            *(policy.c[name] for name in ("id", "uuid", "scope_id", "actions", "limit_cost", "has_fired")),
            cast(cost, Numeric).label("cost"),
            payer.label("payer"),
            undecided.label("undecided"),
        )
        .select_from(policies.outerjoin(spent, spent.c.id == policy.c.id))
        .where(
            or_((cost > policy.c.limit_cost).is_distinct_from(policy.c.has_fired), undecided),
            *choice.of(kind),
        )
        .order_by(policy.c.id)
    ).all()
    compensations = expected_compensations(work, {row.payer for row in found if row.undecided})
    for row in found:
        triggered = row.cost - _compensation(kind, row, compensations) > row.limit_cost
        if triggered != row.has_fired:
            actions = kind.actions(row.actions)
            yield Policy(kind, row.id, row.uuid, row.scope_id, actions, str(row.limit_cost), triggered)


def _billed_within(first: date, last: date) -> ColumnElement[bool]:
    """Whether an invoice is of a month from ``first`` to ``last``, in the same year or in the next."""
    year, month = invoice.c.year, invoice.c.month
    if first.year == last.year:
        return and_(year == last.year, month.between(first.month, last.month))
    return or_(and_(year == first.year, month >= first.month), and_(year == last.year, month <= last.month))


def _items(kind: PolicyClass) -> FromClause:
    """Policies with the items they look at, and the items' invoices and customers."""
    policy, resource = kind.table, marketplace.resource
    if kind is PROJECT_COST:
        with_item: FromClause = policy.join(item, item.c.project_id == policy.c.scope_id)
        joined = with_item.join(invoice, invoice.c.id == item.c.invoice_id)
    elif kind is CUSTOMER_COST:
        joined = policy.join(invoice, invoice.c.customer_id == policy.c.scope_id).join(
            item, item.c.invoice_id == invoice.c.id
        )
    else:
        with_item = policy.join(resource, resource.c.offering_id == policy.c.scope_id).join(
            item, item.c.resource_id == resource.c.id
        )
        joined = with_item.join(invoice, invoice.c.id == item.c.invoice_id)
    return joined.join(customer, and_(customer.c.id == invoice.c.customer_id, *in_groups(kind)))


def in_groups(kind: PolicyClass) -> list[ColumnElement[bool]]:
    """Whether the customer is in one of the policy's organization groups, where the class has groups."""
    if kind.groups is None:
        return []
    group, own = kind.groups.c.organizationgroup_id, kind.groups.c[f"{kind.table.name.removeprefix('policy_')}_id"]
    chosen = select(group).where(own == kind.table.c.id, group == customer.c.organization_group_id)
    return [chosen.exists()]


def _with_credit(
    kind: PolicyClass, cost: ColumnElement[Decimal]
) -> tuple[FromClause, ColumnElement[Any], ColumnElement[bool]]:
    """Policies; the customer who pays for the policy's scope; whether it takes a settlement to tell if a policy fires.

    It takes none where the cost is so far from the limit that no compensation can bring it to the other side. Offerings
    are paid by many, and no credit is taken off.
    """
    policy, project, credit = kind.table, structure.project, open_credits().subquery("open_credit")
    if kind is PROJECT_COST:
        policies: FromClause = policy.join(project, project.c.id == policy.c.scope_id)
        payer: ColumnElement[Any] = project.c.customer_id
    elif kind is CUSTOMER_COST:
        policies, payer = policy, policy.c.scope_id
    else:
        return policy, null(), false()
    excess = cost - policy.c.limit_cost
    undecided = or_(credit.c.unusual, and_(excess > credit.c.least, excess <= credit.c.most))
    return policies.outerjoin(credit, credit.c.customer_id == payer), payer, func.coalesce(undecided, false())


def _compensation(kind: PolicyClass, row: Any, compensations: Compensations) -> Decimal:
    if kind is CUSTOMER_COST:
        return compensations.of_customer(row.payer)
    return compensations.of_project(row.payer, row.scope_id) if kind is PROJECT_COST else Decimal(0)
