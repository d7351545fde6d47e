"""Who is told of resources and orders: the subscriptions and consumers of site agents (spec people, sync-resources).

Of 2025 and later: a subscription has a queue for each offering that its user may see. Of 2026: queues are made
beforehand and listed, and a consumer has one queue for everything, which takes the place of its user's subscriptions.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, Text, and_, literal, or_, select, true, union_all

from waldur_dagster.platform.expressions import hex_of, text_from
from waldur_dagster.schema import core, logging, marketplace, permissions
from waldur_dagster.site_agents import OFFERING_TYPE
from waldur_dagster.work import Work

offering, user = marketplace.offering, core.user
subscription, queue = logging.eventsubscription, logging.eventsubscriptionqueue
consumer, scope = logging.eventconsumer, logging.eventconsumerscope


def has_declared_queues(work: Work) -> bool:
    """Whether the site's Waldur makes and lists its agents' queues: that of 2026 does."""
    return work.schema.has(queue.name)


def recipients(work: Work, object_type: str) -> CTE:
    """(offering_id, offering_uuid, vhost, topic, unified) of each queue that is told about objects of this type.

    Only of offerings to which an active user subscribes, or a consumer is bound. ``vhost`` is the hex uuid of the
    queue's user; in the queue's name the slashes of ``topic`` are underscores.
    """
    parts = [_subscriptions(work, object_type)]
    if work.schema.has(consumer.name):
        parts.append(_consumers(work, object_type))
    seen = union_all(*parts).cte("seen")
    other = seen.alias("other")
    wanted = select(other.c.offering_id).where(other.c.selects)
    replaced = select(other.c.offering_id).where(
        other.c.unified, other.c.offering_id == seen.c.offering_id, other.c.user_id == seen.c.user_id
    )
    return (
        select(seen.c.offering_id, seen.c.offering_uuid, seen.c.vhost, seen.c.topic, seen.c.unified)
        .where(seen.c.declared, seen.c.offering_id.in_(wanted), or_(seen.c.unified, ~replaced.exists()))
        .cte("recipient")
    )


def _subscriptions(work: Work, object_type: str) -> Select[Any]:
    """Of every user; only those of active users select offerings."""
    declared: ColumnElement[bool] = true()
    if has_declared_queues(work):
        declared = (
            select(queue.c.id)
            .where(
                queue.c.event_subscription_id == subscription.c.id,
                queue.c.offering_uuid == offering.c.uuid,
                queue.c.object_type == object_type,
            )
            .exists()
        )
    topic = text_from(
        f"subscription/{{subscription}}/offering/{{offering}}/{object_type}",
        subscription=hex_of(subscription.c.uuid),
        offering=hex_of(offering.c.uuid),
    )
    return (
        _row(topic, unified=False, declared=declared, selects=user.c.is_active)
        .select_from(subscription)
        .join(user, user.c.id == subscription.c.user_id)
        .join(offering, or_(_sees_all(), _has_role(work)))
        .where(
            offering.c.type == OFFERING_TYPE,
            subscription.c.observable_objects.contains([{"object_type": object_type}]),
        )
    )


def _consumers(work: Work, object_type: str) -> Select[Any]:
    """Those bound to an offering; those bound to its customer, of who sees the offering; those of staff without any."""
    types = work.content_types

    def bound(model: tuple[str, str], object_id: ColumnElement[Any]) -> ColumnElement[bool]:
        return and_(scope.c.content_type_id == types(*model), scope.c.object_id == object_id)

    of_consumer = select(scope.c.id).where(scope.c.consumer_id == consumer.c.id)
    directly = of_consumer.where(bound(("marketplace", "offering"), offering.c.id)).exists()
    by_customer = of_consumer.where(bound(("structure", "customer"), offering.c.customer_id)).exists()
    may = or_(_sees_all(), _has_role(work))
    topic = text_from("consumer_{consumer}", consumer=hex_of(consumer.c.uuid))
    return (
        _row(topic, unified=True, declared=true(), selects=directly)
        .select_from(consumer)
        .join(user, user.c.id == consumer.c.user_id)
        .join(
            offering,
            or_(directly, and_(by_customer, may), and_(~of_consumer.exists(), _sees_all())),
        )
        .where(
            offering.c.type == OFFERING_TYPE,
            user.c.is_active,
            consumer.c.queue_created,
            consumer.c.rmq_username != "",
            or_(consumer.c.object_types == [], consumer.c.object_types.contains([object_type])),
        )
    )


def _row(
    topic: ColumnElement[str], *, unified: bool, declared: ColumnElement[bool], selects: ColumnElement[bool]
) -> Select[Any]:
    return select(
        offering.c.id.label("offering_id"),
        hex_of(offering.c.uuid).label("offering_uuid"),
        user.c.id.label("user_id"),
        hex_of(user.c.uuid).label("vhost"),
        topic.cast(Text).label("topic"),
        literal(unified).label("unified"),
        declared.label("declared"),
        selects.label("selects"),
    )


def _sees_all() -> ColumnElement[bool]:
    return or_(user.c.is_staff, user.c.is_support)


def _has_role(work: Work) -> ColumnElement[bool]:
    """An active role on the offering, its customer or its project."""
    held, types = permissions.userrole, work.content_types
    places = (
        (types("marketplace", "offering"), offering.c.id),
        (types("structure", "customer"), offering.c.customer_id),
        (types("structure", "project"), offering.c.project_id),
    )
    there = or_(*(and_(held.c.content_type_id == kind, held.c.object_id == place) for kind, place in places))
    return select(held.c.id).where(held.c.user_id == user.c.id, held.c.is_active, there).exists()
