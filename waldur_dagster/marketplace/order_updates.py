"""What a finished update order changes: the plan and the limits of its resource (spec core 3, remote 6)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Table,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    select,
)

from waldur_dagster.marketplace.events import log_resource_events
from waldur_dagster.marketplace.limits import EMPTY, each_limit, estimated_cost
from waldur_dagster.marketplace.resource_states import change_resources
from waldur_dagster.marketplace.team_mails import mail_teams
from waldur_dagster.platform.contexts import full_name
from waldur_dagster.platform.expressions import text_from
from waldur_dagster.schema import core, marketplace
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

order, resource, component = marketplace.order, marketplace.resource, marketplace.offeringcomponent
UPDATED = "marketplace.marketplace_resource_update_succeeded"
LIMITS_UPDATED = "marketplace_resource_update_limits_succeeded"


def apply_updates(work: Work, standing: Table, orders: Table) -> None:
    """Take plan and limits over from update orders that have succeeded, with costs, events and mails.

    ``standing`` (resource_id, result) are the resources, ``orders`` (order_id, resource_id) their orders.
    """
    applied = _applied(work, standing, orders)
    if not work.connection.scalar(select(func.count()).select_from(applied)):
        return
    _apply_plans(work, applied)
    _apply_limits(work, applied)


def _applied(work: Work, standing: Table, orders: Table) -> Table:
    """Old and new of each update, and who asked for it."""
    old_plan, new_plan = marketplace.plan.alias("old_plan"), marketplace.plan.alias("new_plan")
    author = core.user
    limits = case((func.jsonb_typeof(order.c.limits) == "object", order.c.limits), else_=EMPTY)
    return temporary_table(
        work,
        "applied_update",
        select(
            resource.c.id.label("resource_id"),
            order.c.plan_id,
            limits.label("limits"),
            func.coalesce(full_name(author), "").label("order_user"),
            case((order.c.plan_id.is_distinct_from(resource.c.plan_id), old_plan.c.name)).label("resource_old_plan"),
            new_plan.c.name.label("resource_plan"),
            _in_words(resource.c.limits).label("resource_old_limits"),
            _in_words(limits).label("resource_limits"),
        )
        .join_from(standing, resource, resource.c.id == standing.c.resource_id)
        .join(orders, orders.c.resource_id == resource.c.id)
        .join(order, order.c.id == orders.c.order_id)
        .outerjoin(old_plan, old_plan.c.id == resource.c.plan_id)
        .outerjoin(new_plan, new_plan.c.id == order.c.plan_id)
        .outerjoin(author, author.c.id == order.c.created_by_id)
        .where(standing.c.result == "update_succeeded"),
    )


def _apply_plans(work: Work, applied: Table) -> None:
    planned = select(
        applied.c.resource_id, applied.c.plan_id, estimated_cost(applied.c.plan_id, resource.c.limits).label("cost")
    ).join(resource, resource.c.id == applied.c.resource_id)
    change_resources(work, planned.where(applied.c.plan_id.is_not(None)).subquery("planned"))
    facts = _facts(work, applied, applied.c.resource_old_plan, applied.c.resource_plan)
    mail_teams(work, UPDATED, facts.where(applied.c.plan_id.is_not(None)).subquery("facts"))


def _apply_limits(work: Work, applied: Table) -> None:
    limited = applied.c.limits != EMPTY
    cost = func.coalesce(estimated_cost(resource.c.plan_id, applied.c.limits), resource.c.cost).label("cost")
    chosen = select(applied.c.resource_id, applied.c.limits, cost).join(
        resource, resource.c.id == applied.c.resource_id
    )
    change_resources(work, chosen.where(limited).subquery("limited"))
    log_resource_events(
        work,
        select(applied.c.resource_id).where(limited).subquery("told"),
        event_type=LIMITS_UPDATED,
        message=text_from("Limits of resource {name} have been updated.", name=resource.c.name),
    )
    facts = _facts(work, applied, applied.c.resource_old_limits, applied.c.resource_limits)
    mail_teams(work, f"marketplace.{LIMITS_UPDATED}", facts.where(limited).subquery("facts"))


def _facts(work: Work, applied: Table, *columns: ColumnElement[Any]) -> Select[Any]:
    return select(
        applied.c.resource_id,
        applied.c.order_user,
        *columns,
        literal(work.constance["SITE_EMAIL"], Text).label("support_email"),
        literal(work.constance["SITE_PHONE"], Text).label("support_phone"),
    )


def _in_words(limits: ColumnElement[Any]) -> ColumnElement[str]:
    """A line ``name: value`` for each limit, by the names of the offering's components."""
    given = each_limit(limits, "limits_said")
    of_offering: FromClause = component.alias("component_said")
    line = func.concat(
        func.coalesce(of_offering.c.name, given.c.type), ": ", given.c.value.op("#>>")(literal_column("'{}'"))
    )
    lines = select(cast(func.string_agg(line, "\n"), Text)).select_from(
        given.outerjoin(
            of_offering,
            and_(of_offering.c.offering_id == resource.c.offering_id, of_offering.c.type == given.c.type),
        )
    )
    return lines.correlate(resource, order).scalar_subquery()
