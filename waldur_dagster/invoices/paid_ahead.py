"""Limits by quarter or year that change after the invoice that has billed them (spec newer_billing 1.7).

What follows for that invoice is not said; it is closed as a rule. So nothing is billed or given back by a guess, and
the run tells whom it concerns.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from sqlalchemy import Table, func, select

from waldur_dagster.invoices import counted_limits, rules
from waldur_dagster.invoices.components import component, offering, resource
from waldur_dagster.invoices.limit_items import converted_limit
from waldur_dagster.platform.expressions import given_ids
from waldur_dagster.schema import invoices, structure
from waldur_dagster.work import Work

invoice, item = invoices.invoice, invoices.invoiceitem


def warn_of_paid_ahead(work: Work, place: Table, switched: Collection[int], limited: Collection[int]) -> None:
    """Name the resources whose new plan or limit an item of an invoice other than those in ``place`` does not know."""
    if not rules.has_own_limit_periods(work.schema) or not (switched or limited):
        return
    customer = structure.customer
    rows = (
        select(
            *(item.c[name] for name in ("name", "uuid", "details", "resource_id")),
            invoice.c.year,
            invoice.c.month,
            customer.c.name.label("customer"),
            func.coalesce(converted_limit(work.schema), "0").label("limit"),
        )
        .join_from(item, invoice, invoice.c.id == item.c.invoice_id)
        .join(customer, customer.c.id == invoice.c.customer_id)
        .join(resource, resource.c.id == item.c.resource_id)
        .join(offering, offering.c.id == resource.c.offering_id)
        .join(
            component,
            (component.c.offering_id == offering.c.id)
            & (component.c.type == item.c.details["offering_component_type"].astext),
        )
        .where(
            item.c.resource_id.in_(given_ids({*switched, *limited})),
            item.c.end > work.as_of,
            item.c.invoice_id.not_in(select(place.c.id)),
            item.c.backend_uuid.is_(None),
            item.c.credit_id.is_(None),
        )
        .order_by(item.c.id)
    )
    for row in work.connection.execute(rows):
        counted = counted_limits.periods(work, row)
        if counted and (row.resource_id in switched or Decimal(str(counted[-1]["quantity"])) != Decimal(row.limit)):
            work.outcome.warn(
                f"organization {row.customer}",
                f"{row.name} was billed ahead by the invoice of {row.year}-{row.month:02d}, to "
                f"{counted[-1]['end'][:10]}; its limit or plan has changed since, and what that adds or gives back has "
                "to be settled by hand",
            )
