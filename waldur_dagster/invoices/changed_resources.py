"""What resources cost that begin, end or change within a month (spec invoices 1.12; newer_billing 1.5, 1.7).

Of the running month only, and as long as its invoice is open: what is billed for other months stays (paid_ahead).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Integer,
    Numeric,
    Select,
    Table,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from waldur_dagster.invoices import counted_limits, rules
from waldur_dagster.invoices.components import (
    CREATING,
    OK,
    TERMINATED,
    billing_type,
    is_billed_here,
    limit_in,
    limit_period,
)
from waldur_dagster.invoices.discounts import discounted_prices
from waldur_dagster.invoices.item_events import log_changed_items, log_new_items
from waldur_dagster.invoices.items import (
    add_fixed_items,
    component,
    discount_usage,
    fits,
    insert_items,
    item_details,
    item_name,
    item_rows,
    offering,
    plan,
    priced,
    priced_resources,
    project,
    resource,
)
from waldur_dagster.invoices.limit_items import add_limit_items, converted, converted_limit, has_billable_limit
from waldur_dagster.invoices.limit_periods import billed_span
from waldur_dagster.invoices.new_invoices import create_invoices_of
from waldur_dagster.invoices.once_items import add_creation_items, add_switch_items
from waldur_dagster.invoices.paid_ahead import warn_of_paid_ahead
from waldur_dagster.invoices.price_estimates import refresh_price_estimates
from waldur_dagster.invoices.states import is_open
from waldur_dagster.invoices.term import Term
from waldur_dagster.invoices.totals import refresh_totals
from waldur_dagster.platform.expressions import given_ids, given_rows, json_number, json_object, merged
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import invoices
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

invoice, item = invoices.invoice, invoices.invoiceitem
SCALE = Decimal("1e-10")


def bill_changes(work: Work, changed: Table) -> None:
    """Bill resources that have just been changed: resource_id, old and new state and plan_id, and limits where given.

    One that has been made has items from now on, with those that are paid once. One that ends has its open items end
    now. One that changes its plan has that too, and items of the new plan from now on, with those that each change of
    plan costs; in newer versions items of limits go on when their plan is back. Of one that changes its limits the
    items count both limits by their days; limits on the whole life have an item for the difference. Where the month
    has no invoice yet, all but an end makes it. Totals and estimates follow, and ``work.billed`` names the resources.
    Statements: constant.
    """
    bills = _bills(work, changed)
    if not bills:
        return
    month = Month.of(work.as_of, work.zone)
    made = _missing_invoices(work, month, bills)
    concerned = {bill.customer_id for bill in bills}
    place = _open_invoices(work, month, "changed_invoice", concerned - made)
    touched = _open_invoices(work, month, "touched_invoice", concerned)
    before = work.connection.scalar(select(func.coalesce(func.max(item.c.id), 0))) or 0
    ending = {bill.resource_id for bill in bills if bill.ended or bill.switched}
    limited = {bill.resource_id for bill in bills if bill.limited}
    switched = {bill.resource_id for bill in bills if bill.switched}
    _update(work, [*_closed(work, month, place, ending), *_split(work, place, limited)])
    warn_of_paid_ahead(work, place, switched, limited)
    _begin_plans(work, month, place, touched, bills)
    if limited:
        _begin_limits(work, month, place, changed)
    log_new_items(work, select(item.c.id).where(item.c.id > before, item.c.invoice_id.in_(select(touched.c.id))))
    refresh_totals(work, select(touched.c.id))
    refresh_price_estimates(work, month, select(touched.c.customer_id))
    work.billed.update(bill.resource_id for bill in bills)


@dataclass(frozen=True)
class _Bill:
    resource_id: int
    customer_id: int
    created: bool
    ended: bool
    switched: bool
    limited: bool


def _bills(work: Work, changed: Table) -> list[_Bill]:
    """The changed resources that are billed here, by what has happened to them."""
    lives = changed.c.new_state.not_in((CREATING, TERMINATED)) & (changed.c.old_state != CREATING)
    sells = exists().where(priced.c.plan_id == changed.c.new_plan_id)  # what costs nothing needs no invoice
    created = and_(changed.c.old_state == CREATING, changed.c.new_state == OK, sells)
    ended = and_(changed.c.new_state == TERMINATED, changed.c.old_state != TERMINATED)
    switched = and_(lives, changed.c.old_plan_id.is_distinct_from(changed.c.new_plan_id))
    limited: ColumnElement[bool] = false()
    if "new_limits" in changed.c:
        limited = and_(lives, ~switched, changed.c.old_limits.is_distinct_from(changed.c.new_limits))
    flags = {"created": created, "ended": ended, "switched": switched, "limited": limited}
    found = work.connection.execute(
        select(resource.c.id, project.c.customer_id, *(flag.label(name) for name, flag in flags.items()))
        .join_from(changed, resource, resource.c.id == changed.c.resource_id)
        .join(offering, offering.c.id == resource.c.offering_id)
        .join(project, project.c.id == resource.c.project_id)
        .where(is_billed_here(work.schema), or_(*flags.values()))
    )
    return [_Bill(*row) for row in found]


def _missing_invoices(work: Work, month: Month, bills: Sequence[_Bill]) -> set[int]:
    """Make the invoices that all but ends need; these bill all as it is now. Returns the customers."""
    wanted = given_ids({bill.customer_id for bill in bills if not bill.ended}).subquery("wanted")
    of_month = and_(invoice.c.customer_id == wanted.c.id, invoice.c.year == month.year, invoice.c.month == month.month)
    missing = set(work.connection.scalars(select(wanted.c.id).where(~exists().where(of_month))))
    if missing:
        create_invoices_of(work, month, given_ids(missing))
    return missing


def _open_invoices(work: Work, month: Month, name: str, customers: Collection[int]) -> Table:
    """The temporary table (id, customer_id) of customers' invoices that may change."""
    rows = select(invoice.c.id, invoice.c.customer_id).where(
        invoice.c.customer_id.in_(given_ids(customers)),
        invoice.c.year == month.year,
        invoice.c.month == month.month,
        is_open(),
    )
    return temporary_table(work, name, rows.order_by(invoice.c.id).with_for_update(of=invoice))


def _items(work: Work, place: Table, ids: Collection[int]) -> Select[Any]:
    """The items of these resources, with what their component is; none of remotes, none of credits."""
    schema = work.schema
    price_id = cast(item.c.details["plan_component_id"].astext, Integer)
    numbered = item.c.details["plan_component_id"].astext.regexp_match(r"^\d{1,9}$")
    columns = ("id", "invoice_id", "resource_id", "uuid", "name", "start", "end", "unit", "quantity", "details")
    return (
        select(
            *(item.c[name] for name in columns),
            billing_type(schema).label("billing_type"),
            converted_limit(schema).label("limit"),
        )
        .join_from(item, place, place.c.id == item.c.invoice_id)
        .join(resource, resource.c.id == item.c.resource_id)
        .join(offering, offering.c.id == resource.c.offering_id)
        .outerjoin(priced, case((numbered, priced.c.id == price_id), else_=false()))
        .outerjoin(plan, plan.c.id == priced.c.plan_id)
        .outerjoin(component, component.c.id == priced.c.component_id)
        .where(
            item.c.resource_id.in_(given_ids(ids)),
            item.c.unit_price >= 0,
            item.c.backend_uuid.is_(None),
            item.c.credit_id.is_(None),
        )
        .order_by(item.c.id)
        .with_for_update(of=item)
    )


def _open_items(work: Work, place: Table, ids: Collection[int]) -> Sequence[Any]:
    return work.connection.execute(_items(work, place, ids).where(item.c.end > work.as_of)).all() if ids else ()


def _closed(work: Work, month: Month, place: Table, ids: Collection[int]) -> list[dict[str, Any]]:
    """New values of the items that end now."""
    closed = []
    for row in _open_items(work, place, ids):
        values: dict[str, Any] = {"quantity": row.quantity, "details": row.details}
        if periods := counted_limits.periods(work, row):
            values = counted_limits.ended(work, row, periods)
        elif row.billing_type == "fixed":
            values["quantity"] = Term.between(month, row.start, work.local_time).quantity(row.unit)
        closed.append(_changed(row, values | {"end": work.as_of}))
    return closed


def _split(work: Work, place: Table, ids: Collection[int]) -> list[dict[str, Any]]:
    """New values of the items whose limit has changed."""
    split = []
    for row in _open_items(work, place, ids):
        periods = counted_limits.periods(work, row)
        if periods and (values := counted_limits.changed(work, row, periods, row.limit)):
            split.append(_changed(row, values | {"end": row.end}))
    return split


def _resumed(work: Work, term: Term, place: Table, ids: Collection[int]) -> list[dict[str, Any]]:
    """New values of the items of limits that go on, since their plan is back; up to 2024 it gets items of its own."""
    if not rules.has_own_limit_periods(work.schema):
        return []
    ended = (
        _items(work, place, ids)
        .add_columns(billed_span(work.schema, term).end.label("until"))
        .where(item.c.end < work.as_of, priced.c.plan_id == resource.c.plan_id, has_billable_limit(work.schema, term))
    )
    latest = {(row.resource_id, row.details["plan_component_id"]): row for row in work.connection.execute(ended)}
    resumed = []
    for row in latest.values():
        if periods := counted_limits.periods(work, row):
            values = counted_limits.resumed(work, row, periods, row.limit, row.until.astimezone(work.zone))
            resumed.append(_changed(row, values | {"end": row.until}))
    return resumed


def _changed(row: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    same = {name: getattr(row, name) for name in ("id", "invoice_id", "uuid", "name")}
    return same | {"old_quantity": row.quantity, **values, "quantity": values["quantity"].quantize(SCALE)}


def _update(work: Work, changed: Sequence[Mapping[str, Any]]) -> None:
    if not changed:
        return
    names = ("id", "invoice_id", "uuid", "name")
    types: dict[str, Any] = {name: item.c[name].type for name in names}
    types |= {"end": DateTime(timezone=True), "details": JSONB, "quantity": Numeric, "old_quantity": Numeric}
    rows = given_rows(changed, **types)
    columns = [*(rows.c[name] for name in (*names, "details", "old_quantity")), rows.c.end.label("new_end")]
    of_item = rows.join(item, item.c.id == rows.c.id)
    holds = fits(item.c.unit_price, rows.c.quantity)
    for name, uuid in work.connection.execute(select(rows.c.name, rows.c.uuid).select_from(of_item).where(~holds)):
        counted_limits.warn_of_too_large(work, name, uuid)
    columns += [rows.c.quantity.label("new_quantity"), item.c.end.label("old_end")]
    kept = temporary_table(work, "changed_item", select(*columns).select_from(of_item).where(holds))
    values = {"end": kept.c.new_end, "details": kept.c.details, "quantity": kept.c.new_quantity}
    work.execute(update(item).values(values).where(item.c.id == kept.c.id))
    log_changed_items(work, kept)


def _begin_plans(work: Work, month: Month, place: Table, touched: Table, bills: Sequence[_Bill]) -> None:
    """Items from now on. Invoices that were just made, ``touched`` beside ``place``, lack only what is paid once."""
    switched = {bill.resource_id for bill in bills if bill.switched}
    created = {bill.resource_id for bill in bills if bill.created}
    if not (switched or created):
        return
    term, discounted = Term.rest(month, work.as_of), discounted_prices(work, month, touched)
    is_switched, is_created = (resource.c.id.in_(given_ids(ids)) for ids in (switched, created))
    unbilled = ~_is_open(work, place)  # one that erred and was made anew has been billed from the month's beginning
    add_fixed_items(work, term, place, discounted, only=or_(is_switched, and_(is_created, unbilled)))
    _update(work, _resumed(work, term, place, switched))
    add_limit_items(work, term, place, only=and_(or_(is_switched, is_created), unbilled))
    add_switch_items(work, term, place, discounted, switched)
    add_creation_items(work, term, touched, discounted, created)


def _begin_limits(work: Work, month: Month, place: Table, changed: Table) -> None:
    """Items of limits that had none yet, and of what limits on the whole life have changed by."""
    term = Term.rest(month, work.as_of)
    other = select(changed.c.resource_id).where(
        changed.c.old_limits.is_distinct_from(changed.c.new_limits), changed.c.old_state != CREATING
    )
    add_limit_items(work, term, place, only=and_(resource.c.id.in_(other), ~_is_open(work, place)))
    insert_items(work, _differences(work, term, place, changed).where(resource.c.id.in_(other)))


def _is_open(work: Work, place: Table) -> ColumnElement[bool]:
    """Whether the component of a resource has an item that still runs."""
    twin = item.alias("twin")
    return exists().where(
        twin.c.invoice_id == place.c.id,
        twin.c.resource_id == resource.c.id,
        twin.c.end > work.as_of,
        twin.c.details["offering_component_type"].astext == component.c.type,
    )


def _differences(work: Work, term: Term, place: Table, changed: Table) -> Select[Any]:
    """Limits on the whole life were paid when they were bought: what is added, or given back, has an item."""

    schema = work.schema

    def bought(limits: Any) -> ColumnElement[Any]:
        return func.greatest(func.coalesce(json_number(limit_in(limits)), 0), 0)

    old, new = bought(changed.c.old_limits), bought(changed.c.new_limits)
    more, counted = new - old, cast(converted(schema, new), Numeric) - cast(converted(schema, old), Numeric)
    by_day = literal(1) if rules.has_own_limit_periods(schema) else case((plan.c.unit == "day", term.days), else_=1)
    rows = item_rows(
        schema,
        place,
        name=item_name(),
        details=merged(item_details(), json_object(limit_period="total"), *discount_usage(schema, counted)),
        unit_price=case((more < 0, -priced.c.price), else_=priced.c.price),
        unit=literal("quantity"),
        quantity=func.abs(more) * by_day,
        start=literal(term.start),
        end=literal(term.end),
    )
    source = priced_resources(place).join(changed, changed.c.resource_id == resource.c.id)
    total = and_(billing_type(schema) == "limit", limit_period(schema) == "total")
    return rows.select_from(source).where(total, more != 0)
