"""Items of what is paid once: when a resource is made, and with each change of its plan (spec newer_billing 1.5, 1.7).

Waldur of October 2024 has the same ones, each for an amount of one (spec invoices 1.12).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Numeric,
    Select,
    Table,
    and_,
    case,
    cast,
    exists,
    extract,
    func,
    literal,
    or_,
)

from waldur_dagster.invoices import rules
from waldur_dagster.invoices.components import billing_type, is_prepaid, limit_in, limit_period
from waldur_dagster.invoices.items import (
    WARNINGS_SHOWN,
    component,
    discount_usage,
    discounted_resources,
    discounted_values,
    fits,
    insert_items,
    item_details,
    item_name,
    item_rows,
    plan,
    priced,
    priced_resources,
    resource,
)
from waldur_dagster.invoices.limit_items import converted_limit, has_limit
from waldur_dagster.invoices.term import Term
from waldur_dagster.platform.expressions import given_ids, json_number, json_object, merged
from waldur_dagster.schema.invoices import invoiceitem
from waldur_dagster.work import Work


def add_creation_items(work: Work, term: Term, place: Table, discounted: Table, created: Collection[int]) -> None:
    """What resources that have just been made cost once; limits on the whole life are never billed a second time."""
    chosen = resource.c.id.in_(given_ids(created))
    _add(work, _charges(work, term, place, discounted, "one").where(chosen))
    _add(work, _whole_limits(work, term, place).where(chosen))


def add_switch_items(work: Work, term: Term, place: Table, discounted: Table, switched: Collection[int]) -> None:
    """What each change of plan costs."""
    charges = _charges(work, term, place, discounted, "few")
    _add(work, charges.where(resource.c.id.in_(given_ids(switched))))


def _add(work: Work, rows: Select[Any]) -> None:
    """What no invoice can hold is told now: no later run would come upon it."""
    item = rows.selected_columns
    too_large = rows.with_only_columns(resource.c.name, resource.c.uuid, component.c.type).where(
        ~fits(cast(item.unit_price, Numeric), cast(item.quantity, Numeric))
    )
    for name, uuid, component_type in work.connection.execute(too_large.limit(WARNINGS_SHOWN)):
        problem = f"its {component_type}, which is paid once, costs too much for an invoice; it is not billed"
        work.outcome.warn(f"resource {name} ({uuid.hex})", problem)
    insert_items(work, rows)


def _charges(work: Work, term: Term, place: Table, discounted: Table, kind: str) -> Select[Any]:
    """Charges of a kind of component; what is prepaid costs the limit for each month until the resource's end."""
    schema, prepaid = work.schema, is_prepaid(work.schema)
    amount = priced.c.amount if rules.has_amounts_of_charges(schema) else literal(1)
    bought = cast(converted_limit(schema), Numeric)
    rows = item_rows(
        schema,
        place,
        **discounted_values(schema, discounted, priced.c.price, case((prepaid, bought), else_=amount)),
        unit=literal("quantity"),
        quantity=case((prepaid, bought * _months_until_end(term)), else_=amount),
        start=literal(term.start),
        end=literal(term.end),
    )
    source = rows.select_from(discounted_resources(place, discounted))
    return source.where(billing_type(schema) == kind, or_(~prepaid, has_limit()))


def _months_until_end(term: Term) -> ColumnElement[Any]:
    """Begun months count; it is one at least, and where no end is known."""
    begin, end = term.start.date(), resource.c.end_date
    months = (extract("year", end) - begin.year) * 12 + extract("month", end) - begin.month
    begun = case((extract("day", end) > begin.day, 1), else_=0)
    return func.greatest(cast(months, Integer) + begun, 1)  # of NULL and 1, that is 1


def _whole_limits(work: Work, term: Term, place: Table) -> Select[Any]:
    """Limits on the whole life, in newer versions as they were ordered."""
    schema, limit = work.schema, cast(converted_limit(work.schema), Numeric)
    if rules.has_own_limit_periods(schema):
        quantity, of_kind = json_number(limit_in(resource.c.limits)), [json_object(limit_period="total")]
    else:
        quantity, of_kind = case((plan.c.unit == "day", limit * term.days), else_=limit), []
    rows = item_rows(
        schema,
        place,
        name=item_name(),
        details=merged(item_details(), *of_kind, *discount_usage(schema, limit)),
        unit_price=priced.c.price,
        unit=literal("quantity"),
        quantity=quantity,
        start=literal(term.start),
        end=literal(term.end),
    )
    billed = exists().where(
        invoiceitem.c.resource_id == resource.c.id,
        invoiceitem.c.details["offering_component_type"].astext == component.c.type,
    )
    total = and_(billing_type(schema) == "limit", limit_period(schema) == "total")
    return rows.select_from(priced_resources(place)).where(total, has_limit(), ~billed)
