"""Prices that were announced for the coming month take effect (spec invoices, waldur-create-invoices step 1)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Numeric, Text, and_, cast, select, update

from waldur_dagster.platform.contexts import amount
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import hex_of, json_list, json_object, text_from
from waldur_dagster.schema import marketplace
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work


def switch_prices(work: Work) -> int:
    """price := future_price wherever they differ; one event for each price. Returns the number of prices."""
    priced = marketplace.plancomponent
    due = and_(priced.c.future_price.is_not(None), priced.c.future_price != priced.c.price)
    old = temporary_table(
        work,
        "old_price",
        select(
            priced.c.id, _digits(priced.c.price).label("old_value"), _digits(priced.c.future_price).label("new_value")
        )
        .where(due)
        .with_for_update(),
    )
    log_price_events(work, old, price=priced.c.future_price)
    switched = update(priced).values(price=priced.c.future_price).where(priced.c.id == old.c.id)
    return work.execute(switched).rowcount


def log_price_events(
    work: Work,
    changed: FromClause,
    *,
    price: ColumnElement[Any],
    event_type: str = "marketplace_plan_component_current_price_updated",
    what: str = "Current price",
) -> None:
    """An event for each price in a plan (``id``) whose value was changed (``old_value`` to ``new_value``, texts).

    ``price`` is what it costs from now on. In the order of the components' names; a price without its component has
    nothing to name and gets none.
    """
    priced, component, plan, offering = (
        marketplace.plancomponent,
        marketplace.offeringcomponent,
        marketplace.plan,
        marketplace.offering,
    )
    context = json_object(
        old_value=changed.c.old_value,
        new_value=changed.c.new_value,
        plan_component_price=amount(price),
        plan_component_future_price=amount(priced.c.future_price),
        plan_component_amount=cast(priced.c.amount, Text),
        component_name=component.c.name,
        component_type=component.c.type,
        component_measured_unit=component.c.measured_unit,
        plan_name=plan.c.name,
        plan_uuid=hex_of(plan.c.uuid),
        offering_name=offering.c.name,
        offering_uuid=hex_of(offering.c.uuid),
    )
    offering_type, customer_type = (
        work.content_types("marketplace", "offering"),
        work.content_types("structure", "customer"),
    )
    log_events(
        work,
        select(
            text_from(event_type).label("event_type"),
            text_from(
                f"{what} of component {{type}} in plan {{plan}} has been updated.",
                type=component.c.type,
                plan=plan.c.name,
            ).label("message"),
            context.label("context"),
            json_list(json_list(offering_type, offering.c.id), json_list(customer_type, offering.c.customer_id)).label(
                "feeds"
            ),
        )
        .select_from(
            priced.join(changed, changed.c.id == priced.c.id)
            .join(component, component.c.id == priced.c.component_id)
            .join(plan, plan.c.id == priced.c.plan_id)
            .join(offering, offering.c.id == plan.c.offering_id)
        )
        .order_by(component.c.name, priced.c.id),
    )


def _digits(price: Any) -> Any:
    """A price as events print it: all ten places."""
    return cast(cast(price, Numeric(22, 10)), Text)
