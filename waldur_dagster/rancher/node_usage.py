"""How many nodes a cluster's resource has used in the month (spec rancher_support 0.6)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Integer, Numeric, cast, exists, func, literal, or_, select, update

from waldur_dagster.billing.usage_reports import midnight, report_highest_usage
from waldur_dagster.platform.month import Month
from waldur_dagster.platform.plugin_resources import OK
from waldur_dagster.rancher.servers import cluster
from waldur_dagster.schema import marketplace, rancher
from waldur_dagster.work import Work

resource, offering, component = marketplace.resource, marketplace.offering, marketplace.offeringcomponent
usage, period = marketplace.componentusage, marketplace.resourceplanperiod
node = rancher.node
NODE = "node"
TYPE = "Marketplace.Rancher"
SHOWN = 20


def keep_usage(work: Work, cluster_id: int, content_type: int, *, has_changed: bool) -> None:
    """Count the nodes that are OK, once for a cluster, when the state of one has changed.

    The month's usage is the highest that was seen in it. A month without a change is not billed, as in Waldur, unless
    the deployment says so (``[rancher] bill_unchanged_months``).
    """
    of_cluster = (resource.c.content_type_id == content_type) & (resource.c.object_id == cluster_id)
    if not has_changed:
        if not work.deployment.rancher.bill_unchanged_months:
            return
        of_cluster &= ~_counted(work)
    count = select(func.count()).where(node.c.cluster_id == cluster_id, node.c.state == OK).scalar_subquery()
    if has_changed:
        current = func.jsonb_build_object(NODE, count)
        work.execute(update(resource).where(of_cluster).values(current_usages=current, modified=work.as_of))
    report_highest_usage(
        work,
        select(
            resource.c.id.label("resource_id"),
            component.c.id.label("component_id"),
            _plan_period(work).label("plan_period_id"),
            cast(count, Numeric).label("usage"),
            ((offering.c.type == TYPE) & (component.c.billing_type == "usage")).label("is_billed"),
        )
        .join_from(resource, offering, offering.c.id == resource.c.offering_id)
        .join(component, component.c.offering_id == offering.c.id)
        .where(of_cluster, component.c.type == NODE),
    )


def warn_of_unbilled(work: Work) -> None:
    """Tell of clusters whose running nodes nobody has counted in this month."""
    content_type = work.content_types.get("waldur_rancher", "cluster")
    running = exists().where(node.c.cluster_id == cluster.c.id, node.c.state == OK)
    metered = exists().where(component.c.offering_id == resource.c.offering_id, component.c.type == NODE)
    found = (
        select(cluster.c.name)
        .join(resource, (resource.c.object_id == cluster.c.id) & (resource.c.content_type_id == content_type))
        .where(running, metered, ~_counted(work))
    )
    count = work.connection.scalar(select(func.count()).select_from(found.subquery())) or 0
    if count:
        names = list(work.connection.scalars(found.order_by(cluster.c.name).limit(SHOWN)))
        more = f" and {count - len(names)} more" if count > len(names) else ""
        words = f"have running nodes and no usage in this month, since none has changed: {', '.join(names)}{more}"
        work.outcome.warn(f"{count} clusters", words)


def _counted(work: Work) -> ColumnElement[bool]:
    """Whether the resource has usage of nodes in this month."""
    first = Month.of(work.as_of, work.zone).first
    of_nodes = select(component.c.id).where(component.c.offering_id == resource.c.offering_id, component.c.type == NODE)
    return exists().where(
        usage.c.resource_id == resource.c.id, usage.c.component_id.in_(of_nodes), usage.c.billing_period == first
    )


def _plan_period(work: Work) -> Any:
    """The time of a plan that holds at the beginning of the day; without a beginning it wins over all others."""
    today = literal(midnight(work.as_of))
    return cast(
        select(period.c.id)
        .where(
            period.c.resource_id == resource.c.id,
            or_(period.c.start.is_(None), period.c.start <= today),
            or_(period.c.end.is_(None), period.c.end > today),
        )
        .order_by(period.c.start.desc().nulls_first(), period.c.id)
        .limit(1)
        .scalar_subquery(),
        Integer,
    )
