"""Policies on cost: what a project, customer or offering costs in the policy's months, credit taken off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Numeric, and_, cast, func, literal, null, or_, select

from waldur_dagster.invoices.expected_compensation import (
    Compensations,
    expected_compensations,
    open_credit,
    unusual_credits,
)
from waldur_dagster.invoices.money import item_price, with_tax
from waldur_dagster.policies.classes import (
    CUSTOMER_COST,
    PROJECT_COST,
    Choice,
    Policy,
    PolicyClass,
    in_period,
    month_number,
)
from waldur_dagster.schema import invoices, marketplace, structure
from waldur_dagster.work import Work

CANCELED = "canceled"
invoice, item, customer = invoices.invoice, invoices.invoiceitem, structure.customer


def cost_changes(work: Work, kind: PolicyClass, choice: Choice) -> Iterator[Policy]:
    """Policies of one class of cost policies whose state is not what their cost asks for, by id."""
    policy = kind.table
    # Summed before the tax is added, once for each rate: the same amount for a third of the arithmetic.
    by_rate = (
        select(policy.c.id, invoice.c.tax_percent, func.sum(item_price(item)).label("price"))
        .select_from(_items(kind))
        .where(
            ~customer.c.blocked,
            ~customer.c.archived,
            invoice.c.state != CANCELED,
            in_period(policy.c.period, month_number(invoice.c.year, invoice.c.month), work.today),
            *choice.of(kind),
        )
        .group_by(policy.c.id, invoice.c.tax_percent)
        .cte("by_rate")
    )
    spent = (
        select(by_rate.c.id, func.sum(with_tax(by_rate.c.price, by_rate.c.tax_percent)).label("cost"))
        .group_by(by_rate.c.id)
        .cte("spent")
    )
    cost = func.coalesce(spent.c.cost, literal(0, Numeric))
    policies, payer = _with_payer(kind)
    credit = open_credit(payer) if kind in (PROJECT_COST, CUSTOMER_COST) else null()
    found = work.connection.execute(
        select(
            *(policy.c[name] for name in ("id", "uuid", "scope_id", "actions", "limit_cost", "has_fired")),
            cast(cost, Numeric).label("cost"),
            payer.label("payer"),
            credit.label("credit"),
        )
        .select_from(policies.outerjoin(spent, spent.c.id == policy.c.id))
        .where(
            or_((cost > policy.c.limit_cost).is_distinct_from(policy.c.has_fired), credit.is_not(None)),
            *choice.of(kind),
        )
        .order_by(policy.c.id)
    ).all()
    compensations = _compensations(work, found)
    for row in found:
        triggered = row.cost - _compensation(kind, row, compensations) > row.limit_cost
        if triggered != row.has_fired:
            actions = kind.actions(row.actions)
            yield Policy(kind, row.id, row.uuid, row.scope_id, actions, str(row.limit_cost), triggered)


def _compensations(work: Work, found: Sequence[Any]) -> Compensations:
    """What credits would pay, for the customers for whom that can decide about a policy.

    It cannot where the cost is within the limit anyway, or above it by more than the whole credit.
    """
    with_credit = [row for row in found if row.credit is not None]
    unusual = unusual_credits(work, {row.payer for row in with_credit})
    decisive = {row.payer for row in with_credit if row.payer in unusual or 0 < row.cost - row.limit_cost <= row.credit}
    return expected_compensations(work, decisive)


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


def _with_payer(kind: PolicyClass) -> tuple[FromClause, ColumnElement[Any]]:
    """Policies with the customer whose credit pays for the policy's scope; offerings are paid by many."""
    policy, project = kind.table, structure.project
    if kind is PROJECT_COST:
        return policy.join(project, project.c.id == policy.c.scope_id), project.c.customer_id
    return policy, policy.c.scope_id if kind is CUSTOMER_COST else null()


def _compensation(kind: PolicyClass, row: Any, compensations: Compensations) -> Decimal:
    if row.credit is None:
        return Decimal(0)
    if kind is CUSTOMER_COST:
        return compensations.of_customer(row.payer)
    return compensations.of_project(row.scope_id)
