"""Remote SLURM resources that were never created and could not be terminated are removed (spec marketplace)."""

from __future__ import annotations

from sqlalchemy import Integer, Text, exists, func, literal, select

from waldur_dagster.marketplace.approval import SITE_AGENT
from waldur_dagster.marketplace.robot_accounts import delete_robot_accounts
from waldur_dagster.marketplace.states import OPEN_ORDERS, OrderState, OrderType, ResourceState
from waldur_dagster.platform.cascade import delete_with_dependants
from waldur_dagster.platform.quota_usage import add_deltas
from waldur_dagster.schema import marketplace
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

resource, offering, order, account = (
    marketplace.resource,
    marketplace.offering,
    marketplace.order,
    marketplace.robotaccount,
)


def remove_failed_creations(work: Work) -> int:
    """Delete the resources whose creation failed and whose newest terminate order failed too; returns how many.

    A resource with an order that is still open stays. What hangs on the resources goes with them; invoice items stay
    without a resource.
    """
    newest = (
        select(order.c.state)
        .where(order.c.resource_id == resource.c.id, order.c.type == OrderType.TERMINATE)
        .order_by(order.c.created.desc(), order.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    creation_failed = exists().where(
        order.c.resource_id == resource.c.id, order.c.type == OrderType.CREATE, order.c.state == OrderState.ERRED
    )
    is_open = exists().where(order.c.resource_id == resource.c.id, order.c.state.in_(OPEN_ORDERS))
    doomed = list(
        work.connection.scalars(
            select(resource.c.id)
            .join(offering, offering.c.id == resource.c.offering_id)
            .where(
                offering.c.type == SITE_AGENT,
                resource.c.state == ResourceState.ERRED,
                resource.c.backend_id == "",
                creation_failed,
                newest == OrderState.ERRED,
                ~is_open,
            )
            .order_by(resource.c.id)
            .with_for_update(of=resource, skip_locked=True)
        )
    )
    if not doomed:
        return 0
    gone = select(account.c.id.label("account_id")).where(account.c.resource_id.in_(doomed))
    delete_robot_accounts(work, temporary_table(work, "gone_account", gone))
    add_deltas(
        work,
        select(
            literal(work.content_types("marketplace", "offering"), Integer).label("content_type_id"),
            order.c.offering_id.label("object_id"),
            literal("order_count", Text).label("name"),
            (-func.count()).label("delta"),
        )
        .where(order.c.resource_id.in_(doomed))
        .group_by(order.c.offering_id),
    )
    return delete_with_dependants(work, resource, doomed)
