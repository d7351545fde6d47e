"""What the demo site has of clouds, quotas and usage: counters with some drift, limits, and a history with a hole."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import BigInteger, Connection, Engine, Integer, cast, func, insert, literal, select, update

from waldur_dagster.demo.rows import Rows
from waldur_dagster.deployment import Deployment
from waldur_dagster.marketplace.category_usage import total_usage
from waldur_dagster.platform.month import Month
from waldur_dagster.quotas.daily_history import keep_daily_quotas
from waldur_dagster.quotas.fields import CUSTOM_FIELDS, STANDARD_FIELDS
from waldur_dagster.quotas.recount import recount
from waldur_dagster.schema import analytics, django, marketplace, openstack, quotas, slurm, structure
from waldur_dagster.site import Site

SEED = 20250310
HISTORY, MISSED = 30, 12  # days of history, and how many days ago nobody took the quotas
USAGE_MONTHS = 11
CLOUD, CLUSTER = "OpenStack.Tenant", "Marketplace.Slurm"
CONTENT_TYPES = (("openstack", "tenant"), ("marketplace", "category"))
# Offering component by type: the category component that it is summed into.
CATEGORY_COMPONENTS = {
    "cpu": ("CPU time", "hours"),
    "gpu": ("GPU time", "hours"),
    "account": ("Accounts", "accounts"),
}


def add_quotas(engine: Engine, deployment: Deployment, now: datetime) -> None:
    """Give a demo site that ``build_site`` has made its clouds, its quotas and their past."""
    random = Random(SEED)  # noqa: S311  the same every time, nothing secret
    month, today = Month.of(now, deployment.zone), now.astimezone(UTC).date()
    with engine.begin() as connection:
        rows = Rows(connection, random, now - timedelta(days=400))
        for app_label, model in CONTENT_TYPES:
            rows.content_type(app_label, model)
        _clouds(rows, random, connection)
        _category_components(rows, connection)
    with Site(deployment) as site, site.work("demo", now) as work:
        recount(work, STANDARD_FIELDS + CUSTOM_FIELDS)
        keep_daily_quotas(work, today)
        total_usage(work, month.previous)
    with engine.begin() as connection:
        _limits(connection)
        _past(connection, today)
        _past_usage(connection, month.previous)
        _drift(connection)


def _clouds(rows: Rows, random: Random, connection: Connection) -> None:
    """A tenant with servers and disks for each cloud resource, an allocation for each of the cluster."""
    resource, offering = marketplace.resource, marketplace.offering
    sold = select(resource.c.id, resource.c.name, resource.c.project_id, offering.c.type).join(
        offering, offering.c.id == resource.c.offering_id
    )
    settings = {kind: rows.add(structure.servicesettings, name=kind, type=kind) for kind in ("OpenStack", "SLURM")}
    for _, name, project, kind in connection.execute(sold.order_by(resource.c.id)).all():
        if kind == CLOUD:
            _tenant(rows, random, name, project, settings["OpenStack"])
        elif kind == CLUSTER and rows.schema.has(slurm.allocation.name):
            rows.add(
                slurm.allocation, name=name, project_id=project, service_settings_id=settings["SLURM"], is_active=True
            )


def _tenant(rows: Rows, random: Random, name: str, project: int, settings: int) -> None:
    shared: dict[str, Any] = {"project_id": project, "service_settings_id": settings, "state": 3}
    tenant = rows.add(openstack.tenant, name=name, **shared)
    used = {"vcpu": 0, "ram": 0, "storage": 0, "instances": 0}
    for number in range(1, random.randint(2, 5)):
        cores, disk = random.choice((1, 2, 4, 8)), 1024 * random.choice((20, 40, 80))
        labels = {"name": f"{name}-{number}", "tenant_id": tenant} | shared
        rows.add(openstack.instance, cores=cores, ram=4096 * cores, disk=disk, **labels)
        rows.add(openstack.volume, size=disk, **labels)
        for quota, amount in (("vcpu", cores), ("ram", 4096 * cores), ("storage", disk), ("instances", 1)):
            used[quota] += amount
    for quota, amount in used.items():
        log = {"name": quota, "object_id": tenant, "content_type_id": _content_type("tenant")}
        rows.add(quotas.quotausage, delta=amount, **log)
        rows.add(quotas.quotalimit, value=amount * 2, **log)


def _category_components(rows: Rows, connection: Connection) -> None:
    component, category = marketplace.offeringcomponent, marketplace.category
    of_all = connection.scalar(select(func.min(category.c.id)))
    for kind, (name, unit) in CATEGORY_COMPONENTS.items():
        parent = rows.add(marketplace.categorycomponent, category_id=of_all, type=kind, name=name, measured_unit=unit)
        connection.execute(update(component).where(component.c.type == kind).values(parent_id=parent))


def _limits(connection: Connection) -> None:
    """Limits for what projects use: most have room, some are nearly full, a few are over."""
    history = analytics.dailyquotahistory
    names = ("nc_resource_count", "vpc_cpu_count", "vpc_ram_size", "vpc_storage_size", "vpc_instance_count")
    room = literal(0.93) + (history.c.object_id * 11 % 40) * literal(0.04)
    limits = select(
        history.c.name, cast(func.ceil(history.c.usage * room), BigInteger), history.c.object_id, _project().label("ct")
    ).where(history.c.content_type_id == _project(), history.c.usage > 0, history.c.name.in_(names))
    target = quotas.quotalimit
    connection.execute(insert(target).from_select(["name", "value", "object_id", "content_type_id"], limits))


def _past(connection: Connection, today: date) -> None:
    """The days before today: usage has grown, each scope at a pace of its own; one day is missing."""
    history = analytics.dailyquotahistory
    ago = func.generate_series(1, HISTORY).table_valued("days").render_derived("ago")
    pace = literal(0.002) * (1 + history.c.object_id % 7)
    wave = literal(1.0) + literal(0.05) * func.sin(ago.c.days * 0.9 + history.c.object_id)
    before = func.greatest(func.round(history.c.usage * (literal(1.0) - pace * ago.c.days) * wave), 0)
    past = (
        select(
            history.c.content_type_id,
            history.c.object_id,
            history.c.name,
            cast(before, BigInteger),
            literal(today) - cast(ago.c.days, Integer),
        )
        .join(ago, ago.c.days != MISSED)
        .where(history.c.date == today)
    )
    connection.execute(insert(history).from_select(["content_type_id", "object_id", "name", "usage", "date"], past))
    connection.execute(history.delete().where(history.c.date == today))


def _past_usage(connection: Connection, month: Month) -> None:
    """Totals of the months before ``month``: less and less, with holidays in summer."""
    total = marketplace.categorycomponentusage
    earlier = month
    for ago in range(1, USAGE_MONTHS):
        earlier = earlier.previous
        share = (1 - 0.05 * ago) * (0.6 if earlier.month in (7, 8) else 1)
        copied = select(
            total.c.content_type_id,
            total.c.object_id,
            total.c.component_id,
            literal(earlier.first),
            cast(total.c.reported_usage * share, BigInteger),
            total.c.fixed_usage,
        ).where(total.c.date == month.first)
        columns = ["content_type_id", "object_id", "component_id", "date", "reported_usage", "fixed_usage"]
        connection.execute(insert(total).from_select(columns, copied))


def _drift(connection: Connection) -> None:
    """Some counters have gone wrong, as they do: the recount corrects them."""
    project = structure.project
    wrong = select(literal("nc_resource_count"), project.c.id % 5 - 2, project.c.id, _project().label("ct")).where(
        project.c.id % 4 == 0, project.c.id % 5 != 2
    )
    connection.execute(insert(quotas.quotausage).from_select(["name", "delta", "object_id", "content_type_id"], wrong))


def _project() -> Any:
    return _content_type("project")


def _content_type(model: str) -> Any:
    table = django.content_type
    return select(table.c.id).where(table.c.model == model).scalar_subquery()
