"""The times during which a resource had a plan (spec marketplace 0.5, remote 1.4)."""

from __future__ import annotations

from sqlalchemy import Table, and_, func, literal, or_, select, update

from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.schema import marketplace
from waldur_dagster.work import Work

period = marketplace.resourceplanperiod


def follow(work: Work, changed: Table) -> None:
    """Close and open periods for changed resources: resource_id, old and new state, old and new plan_id.

    A resource that is terminated closes the open periods of its plan, one that is created opens a period, one that
    changes its plan does both.
    """
    old, new = changed.c.old_plan_id, changed.c.new_plan_id
    switched = old.is_distinct_from(new)
    ended = and_(changed.c.new_state == ResourceState.TERMINATED, changed.c.old_state != ResourceState.TERMINATED)
    begun = and_(changed.c.new_state == ResourceState.OK, changed.c.old_state == ResourceState.CREATING)
    work.execute(
        update(period)
        .values(end=work.as_of, modified=work.as_of)
        .where(
            period.c.resource_id == changed.c.resource_id,
            period.c.end.is_(None),
            or_(and_(ended, period.c.plan_id == new), and_(switched, period.c.plan_id == old)),
        )
    )
    opened = select(
        func.gen_random_uuid().label("uuid"),
        literal(work.as_of).label("created"),
        literal(work.as_of).label("modified"),
        literal(work.as_of).label("start"),
        changed.c.resource_id,
        new.label("plan_id"),
    ).where(new.is_not(None), or_(begun, switched))
    work.execute(work.insert_from(period, opened))
