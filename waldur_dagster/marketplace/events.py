"""Events about resources and orders of the marketplace (spec core 1.6, marketplace 0.4 to 0.6)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Integer, Text, cast, func, literal, select

from waldur_dagster.marketplace.states import OrderState, OrderType
from waldur_dagster.platform.contexts import (
    amount,
    optional_context,
    python_time,
    user_context,
)
from waldur_dagster.platform.events import log_events
from waldur_dagster.platform.expressions import hex_of, json_list, json_object, merged
from waldur_dagster.platform.plugin_resources import backends
from waldur_dagster.platform.resource_contexts import has_newer_fields, resource_context, with_surroundings
from waldur_dagster.platform.state_codes import shown
from waldur_dagster.platform.template_objects import Facts, read_only
from waldur_dagster.schema import core, marketplace, structure
from waldur_dagster.work import Work

resource, order, offering = marketplace.resource, marketplace.order, marketplace.offering
project, customer = structure.project, structure.customer
plan, order_plan = marketplace.plan, marketplace.plan.alias("order_plan")
author, consumer, provider = (core.user.alias(n) for n in ("author", "consumer_reviewer", "provider_reviewer"))


# What administrators switch off with this setting, where it is kept in the database (spec newer_billing 5.2). In
# Waldur's configuration it is about mails only.
NOTIFY = "NOTIFY_ABOUT_RESOURCE_CHANGE"
OF_CHANGES = tuple(
    f"marketplace_resource_{what}"
    for what in (
        "create_succeeded",
        "create_failed",
        "create_canceled",
        "update_failed",
        "update_limits_failed",
        "terminate_succeeded",
        "terminate_failed",
    )
)


@dataclass(frozen=True)
class Actor:
    """Who acts in an event: a column of the chosen rows with the user's id; his keys begin with ``user``."""

    user_id: ColumnElement[Any]


def log_resource_events(
    work: Work,
    chosen: FromClause,
    *,
    event_type: str | ColumnElement[str],
    message: ColumnElement[str],
    actor: Actor | None = None,
) -> int:
    """An event for each row of ``chosen`` about the resource that its column ``resource_id`` names.

    ``event_type`` and ``message`` may be made of columns of ``chosen`` and of marketplace_resource. The log of the
    resource, of its project and of its customer show the event. Those OF_CHANGES are left out where the site has
    switched them off. Returns the number of events.
    """
    backend = backends(work)
    source = with_surroundings(chosen.join(resource, resource.c.id == chosen.c.resource_id), backend)
    parts, source = _with_actor([resource_context(work, backend)], source, actor)
    events = select(
        _text(event_type).label("event_type"),
        message.label("message"),
        merged(*parts).label("context"),
        json_list(*_resource_feeds(work)).label("feeds"),
    ).select_from(source)
    if work.constance.given([NOTIFY]).get(NOTIFY) is False:
        events = events.where(_text(event_type).not_in(OF_CHANGES))
    return log_events(work, events.order_by(*_order_of(chosen, resource.c.created, resource.c.id)))


def log_order_events(
    work: Work,
    chosen: FromClause,
    *,
    event_type: str | ColumnElement[str],
    message: ColumnElement[str],
    actor: Actor | None = None,
) -> int:
    """An event for each row of ``chosen`` about the order that its column ``order_id`` names.

    The log of the order, its resource, its project and its customer show it. Returns the number of events.
    """
    backend = backends(work)
    source = with_surroundings(
        chosen.join(order, order.c.id == chosen.c.order_id).join(resource, resource.c.id == order.c.resource_id),
        backend,
    )
    source = (
        source.outerjoin(order_plan, order_plan.c.id == order.c.plan_id)
        .outerjoin(author, author.c.id == order.c.created_by_id)
        .outerjoin(consumer, consumer.c.id == order.c.consumer_reviewed_by_id)
        .outerjoin(provider, provider.c.id == order.c.provider_reviewed_by_id)
    )
    parts, source = _with_actor([resource_context(work, backend), _order_context(work)], source, actor)
    own_feed = json_list(cast(work.content_types("marketplace", "order"), Integer), order.c.id)
    events = select(
        _text(event_type).label("event_type"),
        message.label("message"),
        merged(*parts).label("context"),
        json_list(own_feed, *_resource_feeds(work)).label("feeds"),
    ).select_from(source)
    return log_events(work, events.order_by(*_order_of(chosen, order.c.created, order.c.id)))


def resource_facts(work: Work, ids: Collection[int]) -> dict[int, Facts]:
    """What an event about each of some resources would say of it, by the resource's id; all have the same keys."""
    backend = backends(work)
    found = select(resource.c.id, resource_context(work, backend)).select_from(with_surroundings(resource, backend))
    return {
        number: read_only({"plan_uuid": "", "plan_name": "", "resource_plan": ""} | context)
        for number, context in work.connection.execute(found.where(resource.c.id == func.any(sorted(ids))))
    }


def _text(value: str | ColumnElement[str]) -> ColumnElement[str]:
    return literal(value, Text) if isinstance(value, str) else cast(value, Text)


def _order_of(chosen: FromClause, *otherwise: ColumnElement[Any]) -> tuple[ColumnElement[Any], ...]:
    """Rows with a column ``position`` are told in that order."""
    return (chosen.c.position,) if "position" in chosen.c else otherwise


def _with_actor(parts: list[Any], source: FromClause, actor: Actor | None) -> tuple[list[Any], FromClause]:
    if actor is None:
        return parts, source
    acting = core.user.alias("acting")
    return [*parts, user_context(acting)], source.outerjoin(acting, acting.c.id == actor.user_id)


def _order_context(work: Work) -> ColumnElement[Any]:
    own = json_object(
        order_uuid=hex_of(order.c.uuid),
        order_created=python_time(order.c.created),
        order_modified=python_time(order.c.modified),
        order_cost=amount(order.c.cost),
        order_limits=order.c.limits,
        order_attributes=order.c.attributes,
        order_get_state_display=shown(OrderState, order.c.state),
        order_get_type_display=shown(OrderType, order.c.type),
        order_consumer_reviewed_at=python_time(order.c.consumer_reviewed_at),
        order_provider_reviewed_at=python_time(order.c.provider_reviewed_at),
    )
    if has_newer_fields(work, order.c.completed_at):
        newer = json_object(
            order_output_updated_at=python_time(order.c.output_updated_at),
            order_error_updated_at=python_time(order.c.error_updated_at),
        )
        own = merged(own, newer)
    return merged(
        own,
        optional_context(order_plan, "plan", missing="order_plan"),
        user_context(author, "created_by", missing="order_created_by"),
        user_context(consumer, "consumer_reviewed_by", missing="order_consumer_reviewed_by"),
        user_context(provider, "provider_reviewed_by", missing="order_provider_reviewed_by"),
    )


def _resource_feeds(work: Work) -> list[ColumnElement[Any]]:
    return [
        json_list(cast(work.content_types(app, model), Integer), table.c.id)
        for app, model, table in (
            ("marketplace", "resource", resource),
            ("structure", "project", project),
            ("structure", "customer", customer),
        )
    ]
