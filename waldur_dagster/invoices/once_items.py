"""Items of what is paid once: with each change of a resource's plan (spec newer_billing 1.5).

Waldur of October 2024 has the same ones, each for an amount of one (spec invoices 1.12).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Select, Table, literal

from waldur_dagster.invoices import rules
from waldur_dagster.invoices.components import billing_type
from waldur_dagster.invoices.items import (
    discounted_resources,
    discounted_values,
    insert_items,
    item_rows,
    priced,
    resource,
)
from waldur_dagster.invoices.term import Term
from waldur_dagster.platform.expressions import given_ids
from waldur_dagster.work import Work


def add_switch_items(work: Work, term: Term, place: Table, discounted: Table, switched: Collection[int]) -> None:
    """What each change of plan costs."""
    charges = _charges(work, term, place, discounted, "few")
    insert_items(work, charges.where(resource.c.id.in_(given_ids(switched))))


def _charges(work: Work, term: Term, place: Table, discounted: Table, kind: str) -> Select[Any]:
    """Charges of a kind of component."""
    schema = work.schema
    amount = priced.c.amount if rules.has_amounts_of_charges(schema) else literal(1)
    rows = item_rows(
        schema,
        place,
        **discounted_values(schema, discounted, priced.c.price, amount),
        unit=literal("quantity"),
        quantity=amount,
        start=literal(term.start),
        end=literal(term.end),
    )
    return rows.select_from(discounted_resources(place, discounted)).where(billing_type(schema) == kind)
