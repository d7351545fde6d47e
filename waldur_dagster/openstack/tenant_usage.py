"""What the marketplace knows of a tenant's usage (spec openstack, openstack-tenant-pull-quotas, Marketplace)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Date, Integer, Numeric, Text, and_, func, literal, or_, select, update

from waldur_dagster.invoices.reported_usage import bill_reported_usage
from waldur_dagster.marketplace.resource_states import change_resources
from waldur_dagster.marketplace.states import ResourceState
from waldur_dagster.openstack.providers import Tenant
from waldur_dagster.openstack.rows import content_type_of
from waldur_dagster.platform.expressions import given_rows
from waldur_dagster.platform.month import Month
from waldur_dagster.schema import marketplace, openstack
from waldur_dagster.temporary import temporary_table
from waldur_dagster.work import Work

resource, offering, component = marketplace.resource, marketplace.offering, marketplace.offeringcomponent
usage, period = marketplace.componentusage, marketplace.resourceplanperiod
FED = (ResourceState.OK, ResourceState.ERRED, ResourceState.UPDATING)
DYNAMIC = "dynamic"
FIXED = {"cores": "vcpu", "ram": "ram", "storage": "storage"}


def keep_resource_usage(work: Work, place: Tenant, used: Mapping[str, int]) -> None:
    """Give the tenant's resource its current usages and the month's usage of its components.

    Resources that are being created, or that end, are left alone. One that was erred beside a healthy tenant is OK
    again. What agrees is not written. ``work.billed`` and ``work.metered`` name a resource that has used more.
    """
    found = work.connection.execute(
        select(
            resource.c.id,
            resource.c.state,
            resource.c.current_usages,
            resource.c.offering_id,
            offering.c.plugin_options["storage_mode"].astext.label("mode"),
        )
        .join_from(resource, offering, offering.c.id == resource.c.offering_id)
        .where(
            resource.c.content_type_id == content_type_of(work, openstack.tenant),
            resource.c.object_id == place.id,
            resource.c.state.in_(FED),
        )
    ).one_or_none()
    if found is None:
        return
    names = FIXED
    if found.mode == DYNAMIC:
        by_type = {name: name for name in used if name.startswith("gigabytes_")}
        names = {"cores": "vcpu", "ram": "ram"} | by_type
    current = {key: used[name] for key, name in names.items()}
    if found.current_usages != current:
        work.execute(
            update(resource).where(resource.c.id == found.id).values(current_usages=current, modified=work.as_of)
        )
    _keep_month(work, found, current)
    if found.state == ResourceState.ERRED:
        sound = {"resource_id": found.id, "state": int(ResourceState.OK)}
        change_resources(work, select(given_rows([sound], resource_id=Integer, state=Integer)).subquery("sound"))


def _keep_month(work: Work, found: Any, current: Mapping[str, int]) -> None:
    """The month's usage of a component is the highest that was seen in it."""
    first = Month.of(work.as_of, work.zone).first
    given = given_rows([{"type": key, "usage": value} for key, value in current.items()], type=Text, usage=Numeric)
    of_plan = (
        select(period.c.id)
        .where(
            period.c.resource_id == found.id,
            or_(period.c.start.is_(None), period.c.start <= work.as_of),
            or_(period.c.end.is_(None), period.c.end >= work.as_of),
        )
        .order_by(period.c.start.desc().nulls_last(), period.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    same = and_(
        usage.c.resource_id == found.id,
        usage.c.component_id == component.c.id,
        usage.c.billing_period == literal(first, Date),
        usage.c.plan_period_id.is_not_distinct_from(of_plan),
    )
    higher = temporary_table(
        work,
        "higher_usage",
        select(
            literal(found.id, Integer).label("resource_id"),
            component.c.id.label("component_id"),
            of_plan.label("plan_period_id"),
            given.c.usage,
            func.min(usage.c.id).label("usage_id"),
        )
        .join_from(given, component, component.c.type == given.c.type)
        .outerjoin(usage, same)
        .where(component.c.offering_id == found.offering_id)
        .group_by(component.c.id, given.c.usage)
        .having(func.coalesce(func.max(usage.c.usage), Decimal(-1)) < given.c.usage),
    )
    changed = work.execute(
        update(usage).values(usage=higher.c.usage, modified=work.as_of).where(usage.c.id == higher.c.usage_id)
    ).rowcount
    rows = select(
        func.gen_random_uuid().label("uuid"),
        literal(work.as_of).label("created"),
        literal(work.as_of).label("modified"),
        literal(work.as_of).label("date"),
        literal(first, Date).label("billing_period"),
        literal("", Text).label("description"),
        literal("", Text).label("backend_id"),
        *(higher.c[name] for name in ("resource_id", "component_id", "plan_period_id", "usage")),
    ).where(higher.c.usage_id.is_(None))
    new = work.execute(work.insert_from(usage, rows)).rowcount
    if changed or new:
        bill_reported_usage(work, higher)
        work.billed.add(found.id)
        work.metered.add(found.id)
