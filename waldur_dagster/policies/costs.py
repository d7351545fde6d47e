"""Policies on cost: what a project, customer or offering costs in the policy's months, with VAT, and its credit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Integer, Numeric, and_, cast, false, func, literal, null, or_, select

from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.invoices.expected_compensation import Outlook, expected_compensations
from waldur_dagster.invoices.money import item_price, with_tax
from waldur_dagster.marketplace.fired_policies import has_action
from waldur_dagster.platform.contexts import NOTHING
from waldur_dagster.policies.classes import (
    CUSTOMER_COST,
    PROJECT_COST,
    RESET,
    Action,
    Choice,
    Policy,
    PolicyClass,
    in_period,
)
from waldur_dagster.policies.credit_rules import rule_of
from waldur_dagster.policies.rules import of_affected_customers, watches_credit
from waldur_dagster.schema import invoices, marketplace, structure
from waldur_dagster.work import Work

CANCELED = "canceled"
invoice, item, customer = invoices.invoice, invoices.invoiceitem, structure.customer


def cost_policies(work: Work, kind: PolicyClass, choice: Choice) -> Iterator[Policy]:
    """Policies of one class of cost policies that have to change or go on, by id."""
    policy, rule = kind.table, rule_of(work.schema)
    total = with_tax(item_price(item), invoice.c.tax_percent)
    by_credit = and_(item.c.credit_id.is_not(None), _billed_within(work.today, work.today))
    spent = (
        select(
            policy.c.id,
            func.sum(total).label("cost"),
            func.sum(-total).filter(by_credit).label("written"),
        )
        .select_from(_items(work.schema, kind))
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
    policies, payer, undecided = rule.undecided(kind, cost)
    found = work.connection.execute(
        select(
            *policy_columns(work.schema, kind),
            policy.c.limit_cost,
            cast(cost, Numeric).label("cost"),
            func.coalesce(spent.c.written, 0).label("written"),
            payer.label("payer"),
            undecided.label("undecided"),
        )
        .select_from(policies.outerjoin(spent, spent.c.id == policy.c.id))
        .where(
            or_(
                (cost > policy.c.limit_cost).is_distinct_from(policy.c.has_fired),
                undecided,
                may_go_on(work.schema, kind),
            ),
            *choice.of(kind),
        )
        .order_by(policy.c.id)
    ).all()
    payers = {row.payer for row in found if row.undecided}
    outlooks = expected_compensations(work, payers, from_ledger=rule.from_ledger)
    for row in found:
        triggered = rule.triggered(kind, row, outlooks.get(row.payer, Outlook()))
        if triggered or row.has_fired:
            yield Policy(
                kind=kind,
                triggered=triggered,
                limit=str(row.limit_cost),
                limit_cost=row.limit_cost,
                **policy_facts(work.schema, kind, row),
            )


def policy_columns(schema: SiteSchema, kind: PolicyClass) -> list[ColumnElement[Any]]:
    """What ``policy_facts`` needs."""
    policy = kind.table
    scope = {"Project": structure.project, "Customer": structure.customer, "Offering": marketplace.offering}[kind.scope]
    named = scope.alias("named")
    return [
        *(policy.c[name] for name in ("id", "uuid", "scope_id", "actions", "has_fired")),
        select(named.c.name).where(named.c.id == policy.c.scope_id).scalar_subquery().label("scope_name"),
        schema.own(policy, "options", NOTHING),
        schema.own(policy, "resource_id", cast(null(), Integer)),
    ]


def policy_facts(schema: SiteSchema, kind: PolicyClass, row: Any) -> dict[str, Any]:
    """The fields of a ``Policy`` that every class has."""
    options = row.options if isinstance(row.options, dict) else {}
    addresses = str(options.get(Action.NOTIFY_EXTERNAL) or "").split(",")
    return {
        "id": row.id,
        "uuid": row.uuid,
        "scope_id": row.scope_id,
        "scope_name": row.scope_name,
        "actions": kind.actions(schema, row.actions),
        "has_fired": row.has_fired,
        "resource_id": row.resource_id,
        "external": tuple(dict.fromkeys(found for address in addresses if (found := address.strip()))),
        "facts": {"actions": row.actions},
    }


def may_go_on(schema: SiteSchema, kind: PolicyClass) -> ColumnElement[bool]:
    """Whether a fired policy is looked at again: newer versions set its flags on what has come since."""
    policy = kind.table
    return and_(policy.c.has_fired, has_action(policy, RESET)) if watches_credit(schema) else false()


def _billed_within(first: date, last: date) -> ColumnElement[bool]:
    """Whether an invoice is of a month from ``first`` to ``last``, in the same year or in the next."""
    year, month = invoice.c.year, invoice.c.month
    if first.year == last.year:
        return and_(year == last.year, month.between(first.month, last.month))
    return or_(and_(year == first.year, month >= first.month), and_(year == last.year, month <= last.month))


def _items(schema: SiteSchema, kind: PolicyClass) -> FromClause:
    """Policies with the items they look at, and the items' invoices and customers."""
    policy, resource = kind.table, marketplace.resource
    if kind is PROJECT_COST:
        only = schema.own(policy, "resource_id", cast(null(), Integer))
        concerned = and_(item.c.project_id == policy.c.scope_id, or_(only.is_(None), item.c.resource_id == only))
        with_item: FromClause = policy.join(item, concerned)
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
    return of_affected_customers(schema, kind, joined.join(customer, customer.c.id == invoice.c.customer_id))
