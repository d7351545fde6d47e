"""Discounts for what a customer used in all of something, when its invoice is closed (spec newer_billing 1.10)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Double,
    FromClause,
    Integer,
    Numeric,
    Select,
    Table,
    Text,
    case,
    cast,
    delete,
    func,
    literal,
    select,
    union,
)

from waldur_dagster.invoices import rules
from waldur_dagster.invoices.formula import FormulaError, evaluate
from waldur_dagster.invoices.item_events import log_new_items, log_removed_items
from waldur_dagster.invoices.items import WARNINGS_SHOWN, fits, item_name
from waldur_dagster.invoices.money import HUNDREDTH, round_up
from waldur_dagster.invoices.price_estimates import refresh_estimates_of
from waldur_dagster.invoices.totals import refresh_totals
from waldur_dagster.platform.expressions import hex_of, json_object
from waldur_dagster.schema import invoices, marketplace
from waldur_dagster.temporary import Spool, temporary_returned, temporary_table
from waldur_dagster.work import Work

WHOLE = 100  # percent
item, resource, offering, plan = invoices.invoiceitem, marketplace.resource, marketplace.offering, marketplace.plan
priced, component = marketplace.plancomponent, marketplace.offeringcomponent


@dataclass(frozen=True)
class Discounts:
    """The discount items that closing invoices took away, and those that it made (tables with id, invoice_id)."""

    work: Work
    removed: Table
    made: Table

    def keep(self, closing: Table) -> None:
        """Write events, totals and estimates. An invoice that is not in ``closing`` any more has no discounts."""
        staying = self.made.c.invoice_id.not_in(select(closing.c.id))
        self.work.execute(delete(item).where(item.c.id.in_(select(self.made.c.id).where(staying))))
        self.work.connection.execute(self.made.delete().where(staying))
        log_removed_items(self.work, self.removed)
        log_new_items(self.work, select(self.made.c.id))
        changed = union(select(self.removed.c.invoice_id), select(self.made.c.invoice_id))
        changed_ids = select(changed.subquery("changed").c.invoice_id)
        refresh_totals(self.work, changed_ids)
        refresh_estimates_of(self.work, changed_ids)


def apply_volume_discounts(work: Work, closing: Table) -> Discounts | None:
    """Make the discount items of the invoices in ``closing`` anew; None where the site has no such discounts.

    A formula that cannot be evaluated is reported with its plan and component, and its items get no discount. Nobody
    is told of the items before ``Discounts.keep``: it is not certain yet that the invoices are closed.
    """
    if not rules.has_volume_discounts(work.schema):
        return None
    removed = _remove_earlier(work, closing)
    main = _main_items(work, closing)
    with Spool(work, "granted", group_id=Integer, percent=Text, usage=Numeric) as granted:
        for row in _granted(work, main):
            granted.add(**row)
        rows = _discount_items(main, granted.loaded())
    made = work.insert_from(item, rows).returning(item.c.id, item.c.invoice_id)
    return Discounts(work, removed, temporary_returned(work, "new_discount", made))


def _remove_earlier(work: Work, closing: Table) -> Table:
    """Those of an invoice that was opened again."""
    is_discount = item.c.details["is_discount"].astext == "true"
    earlier = (
        select(item.c.id, item.c.invoice_id, item.c.uuid, item.c.name)
        .join(closing, closing.c.id == item.c.invoice_id)
        .where(is_discount)
    )
    removed = temporary_table(work, "old_discount", earlier)
    work.execute(delete(item).where(item.c.id.in_(select(removed.c.id))))
    return removed


def _main_items(work: Work, closing: Table) -> Table:
    """The items whose price has a formula, in groups: those of a plan's component, or of each resource of it."""
    counted = item.c.details["discount_usage"]
    by_resource = case((priced.c.discount_aggregation == "resource", item.c.resource_id))
    group = func.dense_rank().over(order_by=(item.c.invoice_id, priced.c.id, by_resource.nulls_first()))
    rows = (
        select(
            item.c.id,
            priced.c.id.label("plan_component_id"),
            group.label("group_id"),
            cast(counted, Numeric).label("usage"),
        )
        .select_from(
            item.join(closing, closing.c.id == item.c.invoice_id)
            .join(priced, priced.c.id == item.c.plan_component_id)
            .join(component, component.c.id == priced.c.component_id)
        )
        .where(
            item.c.resource_id.is_not(None),
            func.jsonb_typeof(counted) == "number",
            func.btrim(priced.c.discount_formula) != "",
        )
    )
    return temporary_table(work, "main_item", rows)


def _granted(work: Work, main: Table) -> Iterator[dict[str, Any]]:
    """Percent and usage of the groups that get a discount."""
    groups = (
        select(
            main.c.group_id,
            plan.c.name.label("plan"),
            component.c.type.label("component"),
            priced.c.discount_formula.label("formula"),
            func.sum(main.c.usage).label("usage"),
        )
        .select_from(
            main.join(priced, priced.c.id == main.c.plan_component_id)
            .join(component, component.c.id == priced.c.component_id)
            .join(plan, plan.c.id == priced.c.plan_id)
        )
        .group_by(main.c.group_id, priced.c.id, plan.c.id, component.c.id)
        .order_by(main.c.group_id)
    )
    broken: set[str] = set()
    for row in work.connection.execute(groups, execution_options={"stream_results": True}):
        try:
            percent = evaluate(row.formula, row.usage)
        except FormulaError as error:
            name = f"volume discount of {row.component} in plan {row.plan}"
            if name not in broken and len(broken) < WARNINGS_SHOWN:
                broken.add(name)
                work.outcome.warn(name, f"{error} (usage {row.usage}); its items get no discount: {row.formula}")
            continue
        if percent > 0:
            yield {"group_id": row.group_id, "percent": str(min(WHOLE, percent)), "usage": row.usage}


def _discount_items(main: Table, granted: FromClause) -> Select[Any]:
    """One for each item of a group, of which it takes off the percentage, rounded up to cents."""
    percent = cast(granted.c.percent, Numeric)
    amount = round_up(item.c.unit_price * item.c.quantity * percent * HUNDREDTH)
    details = json_object(
        is_discount=True,
        discount_type="org_volume_discount",
        discount_formula=func.btrim(priced.c.discount_formula),
        discount_percent=cast(granted.c.percent, Double),
        aggregated_usage=cast(granted.c.usage, Double),
        offering_component_type=component.c.type,
        offering_component_name=component.c.name,
        discount_of_item=hex_of(item.c.uuid),
    )
    name = item_name(
        cast(granted.c.percent, Text), "{resource} ({offering} / {plan}) / {label} / Volume discount ({suffix}%)"
    )
    same = ("invoice_id", "resource_id", "project_id", "project_name", "project_uuid", "article_code", "start", "end")
    return (
        select(
            func.gen_random_uuid().label("uuid"),
            *(item.c[name] for name in (*same, "plan_component_id")),
            name.label("name"),
            details.label("details"),
            (-amount).label("unit_price"),
            literal(1).label("quantity"),
            literal("quantity").label("unit"),
            literal("").label("measured_unit"),
        )
        .select_from(
            main.join(granted, granted.c.group_id == main.c.group_id)
            .join(item, item.c.id == main.c.id)
            .join(priced, priced.c.id == item.c.plan_component_id)
            .join(component, component.c.id == priced.c.component_id)
            .join(plan, plan.c.id == priced.c.plan_id)
            .join(resource, resource.c.id == item.c.resource_id)
            .join(offering, offering.c.id == resource.c.offering_id)
        )
        .where(amount > 0, fits(amount, literal(1)))
        .order_by(item.c.id)
    )
