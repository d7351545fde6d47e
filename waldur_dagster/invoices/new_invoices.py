"""The new month's invoices with their items (spec invoices, waldur-create-invoices step 3)."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    Numeric,
    Select,
    Table,
    and_,
    cast,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
)

from waldur_dagster.invoices import rules
from waldur_dagster.invoices.carried_usage import carry_usage_over
from waldur_dagster.invoices.components import billing_type, has_resources_to_bill, limit_in
from waldur_dagster.invoices.discounts import discounted_prices
from waldur_dagster.invoices.item_events import log_items_of
from waldur_dagster.invoices.items import SMALLEST_LIMIT, WARNINGS_SHOWN, add_fixed_items, fits
from waldur_dagster.invoices.limit_items import add_limit_items
from waldur_dagster.invoices.past_months import is_past
from waldur_dagster.invoices.recurring_usage import repeat_usage
from waldur_dagster.invoices.states import PENDING
from waldur_dagster.invoices.term import Term
from waldur_dagster.invoices.totals import refresh_totals
from waldur_dagster.platform.expressions import json_number
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import invoices, marketplace, structure
from waldur_dagster.temporary import temporary_returned
from waldur_dagster.work import Work


def create_invoices(work: Work, month: Month) -> Table:
    """Make the month's missing invoices, with items and totals, in one transaction.

    A customer that has an invoice of the month, in whatever state, is left alone; one whose tax an invoice cannot hold
    is a failure, and the others get theirs. Returns the temporary table ``new_invoice`` (id, customer_id) of what was
    made.
    """
    customer = structure.customer
    billed = select(customer.c.id).where(~customer.c.archived, *_accounting_has_started(work, month))
    return _create(work, Term.whole(month), billed)


def create_invoices_of(work: Work, month: Month, customers: Select[Any]) -> Table:
    """As ``create_invoices``, for the customers that something is billed to in the middle of a month, or after it.

    As in Waldur, that makes their invoice, with items for all their resources: from now on in the running month, for
    the whole of an earlier one (spec invoices 1.12, remote 8).
    """
    running = Month.of(work.as_of, work.zone)
    is_running = month.number == running.number
    term = Term.rest(month, work.as_of) if is_running else Term(month, month.start, of_all=True)
    return _create(work, term, customers, created=running.first)


def _create(work: Work, term: Term, customers: Select[Any], *, created: date | None = None) -> Table:
    month = term.month
    new_invoice = _insert_invoices(work, month, customers, created or month.first)
    carry = carry_usage_over if rules.has_usage_policies(work.schema) else repeat_usage
    usage_items = carry(work, month, new_invoice)
    work.outcome.figures["usage items"] += work.connection.scalar(select(func.count()).select_from(usage_items)) or 0
    discounted = discounted_prices(work, month, new_invoice)
    work.outcome.figures["fixed items"] += add_fixed_items(work, term, new_invoice, discounted)
    work.outcome.figures["limit items"] += add_limit_items(work, term, new_invoice)
    _warn_about_unbillable(work, new_invoice)
    refresh_totals(work, select(new_invoice.c.id))
    log_items_of(work, new_invoice)
    return new_invoice


def _insert_invoices(work: Work, month: Month, customers: Select[Any], created: date) -> Table:
    invoice, customer = invoices.invoice, structure.customer
    taxable = work.schema.fits(invoice.c.tax_percent, customer.c.default_tax_percent)
    _tell_untaxable(work, month, select(customer).where(customer.c.id.in_(customers), ~taxable))
    rows = (
        select(
            func.gen_random_uuid().label("uuid"),
            literal(month.year).label("year"),
            literal(month.month).label("month"),
            literal(PENDING).label("state"),
            customer.c.id.label("customer_id"),
            customer.c.default_tax_percent.label("tax_percent"),
            literal(0).label("total_cost"),
            literal(0).label("total_price"),
            literal(created, Date).label("created"),
            literal("").label("backend_id"),
            literal("").label("payment_url"),
            literal("").label("reference_number"),
        )
        .where(customer.c.id.in_(customers), taxable)
        .order_by(customer.c.name, customer.c.id)
    )
    statement = (
        work.insert_from(invoice, rows)
        .on_conflict_do_nothing(index_elements=[invoice.c.customer_id, invoice.c.month, invoice.c.year])
        .returning(invoice.c.id, invoice.c.customer_id)
    )
    return temporary_returned(work, "new_invoice", statement)


def _tell_untaxable(work: Work, month: Month, customers: Select[Any]) -> None:
    """Organizations of newer versions may have a tax that no invoice can hold; theirs alone cannot be made."""
    invoice, customer = invoices.invoice, structure.customer
    of_month = (invoice.c.customer_id == customer.c.id, invoice.c.year == month.year, invoice.c.month == month.month)
    named = customers.with_only_columns(customer.c.name, customer.c.default_tax_percent)
    without = named.where(~exists().where(*of_month)).order_by(customer.c.name)
    for name, tax in work.connection.execute(without.limit(WARNINGS_SHOWN)):
        problem = f"has no invoice of {month}: its default tax of {tax} % is more than an invoice can hold"
        work.outcome.fail(f"customer {name}", f"{problem}; set a lower one, and the next run makes the invoice")


def _accounting_has_started(work: Work, month: Month) -> list[ColumnElement[bool]]:
    """Which customers are billed for a month.

    For the present month as in Waldur: all, or where the site has switched it on those whose accounting has started.
    In a past month nobody is billed whose accounting started after it, or who was not there yet.
    """
    customer, conditions = structure.customer, list[ColumnElement[bool]]()
    if work.settings["WALDUR_CORE.ENABLE_ACCOUNTING_START_DATE"]:
        conditions.append(customer.c.accounting_start_date < work.as_of)
    if is_past(work, month):
        conditions += [customer.c.accounting_start_date <= month.end, customer.c.created <= month.end]
    return conditions


def _warn_about_unbillable(work: Work, new_invoice: Table) -> None:
    """Tell of resources and prices of which no item could be made (spec invoices D2); the rest is billed."""
    resource, offering, project = marketplace.resource, marketplace.offering, structure.project
    plan, priced, component = marketplace.plan, marketplace.plancomponent, marketplace.offeringcomponent
    raw = limit_in(resource.c.limits)
    json_type = func.jsonb_typeof(raw)
    number = json_number(raw)
    no_number = or_(
        json_type.not_in(("number", "null")), func.jsonb_typeof(resource.c.limits).not_in(("object", "null"))
    )
    too_small = and_(number != 0, func.abs(number) < SMALLEST_LIMIT)
    kind = billing_type(work.schema)
    most_days = DAYS_OF_YEAR if rules.has_own_limit_periods(work.schema) else DAYS_OF_MONTH
    limited = and_(kind == "limit", or_(no_number, too_small, ~fits(priced.c.price, number * most_days)))
    fixed = and_(kind == "fixed", ~fits(cast(priced.c.price, Numeric) * priced.c.amount, MOST_HOURS))
    source = (
        new_invoice.join(project, project.c.customer_id == new_invoice.c.customer_id)
        .join(resource, resource.c.project_id == project.c.id)
        .join(offering, offering.c.id == resource.c.offering_id)
        .outerjoin(plan, plan.c.id == resource.c.plan_id)
        .outerjoin(priced, priced.c.plan_id == plan.c.id)
        .outerjoin(component, component.c.id == priced.c.component_id)
    )
    found = (
        select(
            resource.c.name, resource.c.uuid, resource.c.plan_id, priced.c.id, component.c.type, raw, fixed, too_small
        )
        .select_from(source)
        .where(
            has_resources_to_bill(work.schema),
            or_(resource.c.plan_id.is_(None), and_(priced.c.id.is_not(None), component.c.id.is_(None)), limited, fixed),
        )
        .limit(WARNINGS_SHOWN)
    )
    for name, uuid, *facts in work.connection.execute(found):
        work.outcome.warn(f"resource {name} ({uuid.hex})", _problem(*facts))


DAYS_OF_MONTH, DAYS_OF_YEAR = literal_column("31", Numeric), literal_column("366", Numeric)
MOST_HOURS = literal_column("744", Numeric)


def _problem(plan_id: int | None, price_id: int, component_type: str | None, limit: Any, *extremes: bool) -> str:
    too_expensive, too_small = extremes
    if plan_id is None:
        return "has no plan; it is not billed"
    if component_type is None:
        return f"price {price_id} of its plan has no component; that price is not billed"
    if too_expensive:
        return f"its price of {component_type} is too large for an invoice; check that it is billed"
    if too_small:
        return f"its limit of {component_type} is next to nothing, less than a number can hold; it is not billed"
    if limit is None:
        return f"its limits are no JSON object; {component_type} is not billed"
    if isinstance(limit, int | float):
        return f"its limit of {component_type} is {limit}, which is too large for an invoice; check that it is billed"
    return f"its limit of {component_type} is {limit!r}, not a number; that component is not billed"
