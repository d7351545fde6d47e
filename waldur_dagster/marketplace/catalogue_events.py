"""Events about what is sold: components of offerings, plans and their prices (spec remote 1.4)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import FromClause, Integer, literal, select

from waldur_dagster.platform.contexts import named_context
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import json_list, json_object, merged, text_from
from waldur_dagster.schema import marketplace
from waldur_dagster.work import Work

offering, component, plan = marketplace.offering, marketplace.offeringcomponent, marketplace.plan


def log_component_events(work: Work, ids: Collection[int], what: str) -> None:
    """Components were ``created``, ``updated`` or, before they go, ``deleted``; the log of their offering shows it."""
    if ids:
        fields = {f"offering_component_{name}": component.c[name] for name in ("name", "type", "measured_unit")}
        log_events(
            work,
            select(
                text_from(f"marketplace_offering_component_{what}").label("event_type"),
                text_from(f"Offering component {{name}} has been {what}.", name=component.c.name).label("message"),
                json_object(**fields).label("context"),
                offering_feeds(work).label("feeds"),
            )
            .join_from(component, offering, offering.c.id == component.c.offering_id)
            .where(component.c.id.in_(ids))
            .order_by(component.c.id),
        )


def log_plan_events(work: Work, ids: Collection[int], what: str) -> None:
    """Plans were ``created``, ``updated`` or ``archived``; the log of their offering shows it."""
    if ids:
        log_events(
            work,
            select(
                text_from(f"marketplace_plan_{what}").label("event_type"),
                text_from(f"Plan {{name}} has been {what}.", name=plan.c.name).label("message"),
                merged(named_context(plan, "plan"), named_context(offering, "offering")).label("context"),
                offering_feeds(work).label("feeds"),
            )
            .join_from(plan, offering, offering.c.id == plan.c.offering_id)
            .where(plan.c.id.in_(ids))
            .order_by(plan.c.id),
        )


def log_offering_events(work: Work, chosen: FromClause, event_type: str, message: str) -> None:
    """What has happened to offerings, which ``offering_id`` names; their log and their customers' show it."""
    log_events(
        work,
        select(
            text_from(event_type).label("event_type"),
            text_from(message).label("message"),
            named_context(offering, "offering").label("context"),
            offering_feeds(work).label("feeds"),
        )
        .join_from(chosen, offering, offering.c.id == chosen.c.offering_id)
        .order_by(offering.c.id),
    )


def offering_feeds(work: Work) -> Any:
    """The offering and its customer."""
    types = [
        literal(work.content_types(app, model), Integer)
        for app, model in (("marketplace", "offering"), ("structure", "customer"))
    ]
    return json_list(json_list(types[0], offering.c.id), json_list(types[1], offering.c.customer_id))
