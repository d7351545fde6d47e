"""The items of components that are billed by the resource's limit (spec invoices 1.4; newer_billing 1.7)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Double, Numeric, Table, Text, and_, case, cast, func
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.invoices import rules
from waldur_dagster.invoices.components import (
    SLURM_PACKAGE,
    TENANT,
    billing_type,
    limit_in,
    limit_period,
    offering,
    package_amount,
    plan,
    resource,
    tenant_limit,
)
from waldur_dagster.invoices.items import (
    SMALLEST_LIMIT,
    billed_at_start,
    discount_usage,
    insert_items,
    item_details,
    item_name,
    item_rows,
    priced,
    priced_resources,
)
from waldur_dagster.invoices.limit_periods import Span, billed_span, is_due
from waldur_dagster.invoices.term import Term
from waldur_dagster.platform.expressions import json_list, json_number, json_object, merged
from waldur_dagster.work import Work


def add_limit_items(work: Work, term: Term, new_invoice: Table, only: ColumnElement[bool] | None = None) -> int:
    """Items of components that are billed by the resource's limit, except for limits on the resource's whole life.

    ``only`` says for which resources and components, all of the customers by default.
    """
    schema = work.schema
    limit, span = converted_limit(schema), billed_span(schema, term)
    by_days = _times(schema, limit, span.days)
    quantity = case((plan.c.unit == "day", cast(by_days, Numeric)), else_=cast(limit, Numeric))
    rows = item_rows(
        schema,
        new_invoice,
        name=item_name(),
        details=merged(
            item_details(),
            json_object(resource_limit_periods=json_list(_period(limit, by_days, span))),
            *discount_usage(schema, cast(limit, Numeric)),
        ),
        unit_price=priced.c.price,
        unit=plan.c.unit,
        quantity=quantity,
        start=span.start,
        end=span.end,
    )
    source = rows.select_from(priced_resources(new_invoice))
    due = source.where(*billed_at_start(work, term), has_billable_limit(schema, term))
    return insert_items(work, due if only is None else due.where(only))


def has_billable_limit(schema: SiteSchema, term: Term) -> ColumnElement[bool]:
    """A limit component of which the resource has some, a number that is neither 0 nor -1 (unlimited), when it is due.

    Limits on the resource's whole life are billed when it is ordered, never later.
    """
    return and_(
        billing_type(schema) == "limit",
        limit_period(schema).is_distinct_from("total"),
        is_due(schema, term),
        has_limit(),
    )


def has_limit() -> ColumnElement[bool]:
    """Whether the resource has a limit of the component that an item can be made of; -1 is unlimited."""
    number = json_number(limit_in(resource.c.limits))
    return and_(number.not_in((0, -1)), func.abs(number) >= SMALLEST_LIMIT)


def _period(limit: ColumnElement[str], by_days: ColumnElement[str], span: Span) -> ColumnElement[Any]:
    return json_object(
        start=span.start_text,
        end=span.end_text,
        quantity=cast(limit, JSONB),
        billing_periods=span.days,
        total=by_days,
    )


def _times(schema: SiteSchema, limit: ColumnElement[str], days: Any) -> ColumnElement[str]:
    """The text that Python prints for the limit times the days.

    Newer versions multiply decimals. In older ones only whole numbers multiply exactly; fractions are doubles, as in
    JSON, and the text of one keeps its ``.0``.
    """
    exact = cast(cast(limit, Numeric) * days, Text)
    if rules.has_one_billing_service(schema):
        return exact
    whole = r"^-?\d+$"
    product = case((limit.regexp_match(whole), exact), else_=cast(cast(limit, Double) * days, Text))
    return case(
        (and_(~limit.regexp_match(whole), product.regexp_match(whole)), func.concat(product, ".0")), else_=product
    )


def converted_limit(schema: SiteSchema) -> ColumnElement[str]:
    """The limit in the unit that is billed, as the text of a number; null where there is none, or no number."""
    return converted(schema, json_number(limit_in(resource.c.limits)))


def converted(schema: SiteSchema, number: ColumnElement[Any]) -> ColumnElement[str]:
    return case(
        (offering.c.type == TENANT, cast(tenant_limit(schema, number), Text)),
        (offering.c.type == SLURM_PACKAGE, cast(package_amount(schema, number), Text)),
        else_=cast(number, Text),
    )
