"""Which rules hold for a site's credits, and where their terms stand (spec newer_billing 0 and 2.1)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ColumnElement, Date, Numeric, Table, Text, cast, false, literal, null, true

from waldur_dagster.database.site_schema import SiteSchema
from waldur_dagster.invoices.compensation import GROSS, NET, Rules
from waldur_dagster.schema import invoices


def rules_of(schema: SiteSchema) -> Rules:
    """Credits with an expected consumption are settled net of VAT."""
    return NET if schema.has_column(invoices.customercredit.c.expected_consumption) else GROSS


def expected_column(schema: SiteSchema, credit: Table) -> Column[Any] | None:
    """The column of what a credit should consume in a month: newer sites have another one. None: there is none."""
    names = ("expected_consumption", "minimal_consumption")
    return next((credit.c[name] for name in names if schema.has(credit.name, name)), None)


def balance_columns(schema: SiteSchema, credit: Table) -> list[ColumnElement[Any]]:
    """The fields of a ``Balance``, for a table of credits as the site has it."""
    expected = expected_column(schema, credit)

    return [
        credit.c.id,
        credit.c.value,
        (literal(0, Numeric) if expected is None else expected).label("expected"),
        schema.own(credit, "apply_as_minimal_consumption", true()).label("applied"),
        schema.own(credit, "grace_coefficient", literal(0, Numeric)).label("grace"),
        schema.own(credit, "minimal_consumption_logic", literal("fixed", Text)).label("logic"),
        schema.own(credit, "end_date", cast(null(), Date)),
    ]


def spills_over(schema: SiteSchema) -> ColumnElement[bool]:
    """Whether a project whose own credit is used up may draw on its organization's; on newer sites it never may."""
    return schema.own(invoices.projectcredit, "use_organisation_credit", false())
